import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// The same directory under us and under a real registry.
@Suite(.tags(.interop)) struct InteropTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// A small image of each kind that the other registry takes.
    private func images() throws -> [(repository: String, tag: String, image: TestImage)] {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer(byteCount: 300_000)
        var result = try [
            ("library/one", "1", builder.image(layers: [shared, builder.layer()])),
            ("team/deep/many", "v2.0", builder.multiPlatform(sharing: [shared], attested: true)),
            ("team/chart", "0.1.0", builder.artifact()),
        ]
        builder.family = .docker
        result.append(("library/docker", "3", try builder.image(layers: [builder.layer()])))
        result.append(("library/list", "4", try builder.multiPlatform()))
        return result
    }

    private func copy(_ source: String, _ target: String) throws {
        let options = ["--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
        try Command("skopeo", ["copy", "-q"] + options + [source, target]).check()
    }

    /// Writes with us, pulls from the other, pushes that to the other in another directory, and reads it with us.
    private func roundTrip(_ images: [(repository: String, tag: String, image: TestImage)]) throws {
        let (first, second) = (scratch.path("first"), scratch.path("second"))
        for root in [first, second] {
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        }
        do {
            let registry = try Registry(first)
            for (name, version, image) in images { try registry.add(image, path(name), tag: tag(version)) }
        }
        let (source, target) = (try DockerRegistry(root: first), try DockerRegistry(root: second))
        for (number, (name, version, image)) in images.enumerated() {
            let directory = "dir:" + scratch.path("image\(number)")
            try copy("docker://\(source.address)/\(name):\(version)", directory)
            #expect(try Digest.of(scratch.read("image\(number)/manifest.json")) == image.digest)
            for blob in image.blobs { #expect(try scratch.read("image\(number)/\(blob.digest.hex)") == blob.bytes) }
            try copy(directory, "docker://\(target.address)/\(name):\(version)")
        }
        source.stop()
        target.stop()
        for root in [first, second] {
            let registry = try Registry(root)
            #expect(try registry.directory.repositories() == Set(images.map { path($0.repository) }).sorted())
            for (name, version, image) in images {
                #expect(try registry.directory.digest(of: tag(version), in: path(name)) == image.digest)
                try registry.expect(image, path(name))
                let expected = images.filter { $0.repository == name }
                #expect(try registry.directory.tags(in: path(name)) == expected.map { tag($0.tag) }.sorted())
                let manifests = Set(expected.flatMap { $0.image.documents.map(\.digest) })
                #expect(try Set(registry.directory.manifests(in: path(name))) == manifests)
            }
        }
    }

    @Test func `what we write the other registry serves, and what it takes we read`() throws { try roundTrip(images()) }

    @Test(.timeLimit(.minutes(10)))
    func `real images go through both`() throws {
        try roundTrip(DebianImages.make().map { ($0.repository, $0.tag, $0.image) })
    }

    @Test func `the same images are the same files, whoever writes them`() throws {
        let (ours, theirs) = (scratch.path("ours"), scratch.path("theirs"))
        try FileManager.default.createDirectory(atPath: ours, withIntermediateDirectories: false)
        for (name, version, image) in try images() {
            try Registry(ours).add(image, path(name), tag: tag(version))
            try RegistryStorage(root: theirs).add(image, repository: name, tag: version)
        }
        let files = { try fileTree($0).compactMapValues(\.self) }
        #expect(try files(ours) == files(theirs))
    }

    @Test func `what we remove is gone for the other registry`() throws {
        let images = try images()
        let root = scratch.path("root")
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        do {
            let registry = try Registry(root)
            for (_, version, image) in images { try registry.add(image, repository, tag: tag(version)) }
            #expect(try registry.directory.deleteTag(tag("1"), in: repository))
            #expect(try registry.directory.deleteManifest(images[1].image.digest, in: repository))
            let layer = try #require(images[3].image.layers.first)
            #expect(try registry.directory.deleteBlob(layer.digest, in: repository))
        }
        let other = try DockerRegistry(root: root)
        func get(_ path: String) throws -> String {
            let url = "http://\(other.address)/v2/team/app/\(path)"
            let accept = "Accept: \(MediaType.ociManifest), \(MediaType.ociIndex)"
            return try Command("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", accept, url]).check()
                .outputText
        }
        let list = try Command("curl", ["-s", "http://\(other.address)/v2/team/app/tags/list"]).check().outputText
        #expect(list.contains(#"["0.1.0","3","4"]"#) || list.contains(#""tags":["#), "\(list)")
        #expect(!list.contains(#""1""#) && !list.contains("v2.0"))
        #expect(try get("manifests/1") == "404")
        #expect(try get("manifests/\(images[0].image.digest)") == "200")
        #expect(try get("manifests/\(images[1].image.digest)") == "404")
        #expect(try get("blobs/\(images[3].image.layers[0].digest)") == "404")
        #expect(try get("blobs/\(images[0].image.layers[0].digest)") == "200")
    }

    @Test func `the other registry collects what we removed, and keeps what we have`() throws {
        let images = try images()
        let root = scratch.path("root")
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        do {
            let registry = try Registry(root)
            for (name, version, image) in images { try registry.add(image, path(name), tag: tag(version)) }
            // A half upload is no trouble to it.
            let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
            try upload.append([1, 2, 3], claim: upload.claim())
            #expect(try registry.directory.deleteManifest(images[2].image.digest, in: path("team/chart")))
        }
        let configuration = "version: 0.1\nstorage:\n  filesystem: {rootdirectory: \(root)}\n"
        try scratch.write(configuration, to: "config.yml")
        let config = scratch.path("config.yml")
        let outcome = try Command("docker-registry", ["garbage-collect", config]).check()
        let registry = try Registry(root)
        #expect(!registry.oracle.hasBlob(images[2].image.digest), "\(outcome.outputText)")
        for (name, _, image) in images where name != "team/chart" { try registry.expect(image, path(name)) }
    }

    @Test func `an upload that the other registry began goes on with us`() throws {
        let (bytes, digest) = try content(100_000)
        let root = scratch.path("root")
        let other = try DockerRegistry(root: root)
        let uploads = "http://\(other.address)/v2/team/app/blobs/uploads/"
        let started = try Command("curl", ["-si", "-X", "POST", uploads]).check().outputText
        let location = try #require(started.firstMatch(of: /Location: (\S+)/)).1
        let part = try scratch.write(bytes.prefix(60_000), to: "part")
        let type = "Content-Type: application/octet-stream"
        let arguments = ["-sf", "-X", "PATCH", "-H", type, "--data-binary", "@\(part)", String(location)]
        try Command("curl", arguments).check()
        other.stop()
        let registry = try Registry(root)
        let id = try #require(registry.leftOvers(repository).first)
        let upload = try #require(try registry.directory.upload(id, in: repository))
        #expect(upload.byteCount == 60_000)
        let claim = upload.claim()
        try upload.append(Array(bytes.dropFirst(60_000)), claim: claim)
        try upload.commit(as: digest, claim: claim)
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(registry.leftOvers(repository).isEmpty)
    }
}
