import Archive
import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Archives with a `manifest.json`, in the shapes that the programs of the field write.
@Suite struct DockerArchiveTests {
    let scratch: ScratchDirectory
    let layers = [DockerParts.layer(1), DockerParts.layer(2)]

    init() throws { scratch = try ScratchDirectory() }

    private func type(_ suffix: String) -> MediaType {
        MediaType(rawValue: "application/vnd.oci.image.layer.v1.\(suffix)")
    }

    @Test func `an image gets a manifest with what the archive says`() throws {
        let archive = try scratch.docker(DockerParts.archive([("a/layer.tar", layers[0]), ("b/layer.tar", layers[1])]))
        #expect(archive.names == ["docker.io/library/alpine:3.20"])
        #expect(archive.manifests[0].mediaType == .ociManifest)
        #expect(
            archive.manifests[0].annotations == [
                "org.opencontainers.image.ref.name": "docker.io/library/alpine:3.20",
                "io.containerd.image.name": "docker.io/library/alpine:3.20",
            ]
        )
        let manifest = try archive.manifest()
        let config = try DockerParts.config(layers)
        #expect(
            manifest.config
                == Descriptor(mediaType: .ociConfig, digest: try Digest.of(config), size: Int64(config.count))
        )
        #expect(try manifest.layers.map(\.digest) == layers.map { try Digest.of($0) })
        #expect(manifest.layers.map(\.size) == layers.map { Int64($0.count) })
        #expect(manifest.layers.map(\.mediaType) == [type("tar"), type("tar")])
        #expect(Set(archive.blobs.keys) == Set(manifest.blobs.map(\.digest)))
        #expect(Set(archive.made.keys) == [archive.manifests[0].digest])
        for blob in manifest.blobs { _ = try archive.content(blob.digest, of: scratch.path("docker.tar")) }
    }

    @Test func `the manifest has sorted keys and no spaces`() throws {
        let archive = try scratch.docker(DockerParts.archive([("l.tar", layers[0])]))
        let (config, layer) = (try DockerParts.config([layers[0]]), layers[0])
        let text = String(decoding: try #require(archive.made[archive.manifests[0].digest]), as: UTF8.self)
        #expect(
            text == #"{"config":{"digest":"\#(try Digest.of(config))","#
                + #""mediaType":"application/vnd.oci.image.config.v1+json","size":\#(config.count)},"#
                + #""layers":[{"digest":"\#(try Digest.of(layer))","#
                + #""mediaType":"application/vnd.oci.image.layer.v1.tar","size":\#(layer.count)}],"#
                + #""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#
        )
    }

    // MARK: - Where layers and configs lie

    @Test(arguments: ["config.json", "sha256:HEX", "HEX.json", "blobs/sha256/HEX", "./some/where"])
    func `a config may have any path`(path: String) throws {
        let hex = try Digest.of(DockerParts.config(layers)).hex
        let name = path.replacingOccurrences(of: "HEX", with: hex)
        let archive = try scratch.docker(
            DockerParts.archive([("1.tar", layers[0]), ("2.tar", layers[1])], config: name)
        )
        #expect(try archive.manifest().config.digest.hex == hex)
    }

    /// The links of Docker before version 25, of podman and skopeo, of tar, and some that lead on.
    @Test(arguments: [
        [("a/layer.tar", "2", "../real.tar")], [("a/layer.tar", "1", "real.tar")], [("a/layer.tar", "1", "./real.tar")],
        [("a/layer.tar", "2", "../b/layer.tar"), ("b/layer.tar", "2", "../real.tar")],
        [("a/layer.tar", "2", ".././b/../real.tar")],
        [("a/layer.tar", "2", "../x"), ("x", "1", "y"), ("y", "2", "real.tar")],
    ])
    func `links are followed within the archive`(links: [(String, Character, String)]) throws {
        var tar = DockerTar()
        for (path, type, target) in links {
            tar.entries.append((path, type == "2" ? .symbolicLink(target) : .hardLink(target)))
        }
        tar.add("real.tar", layers[0])
        tar.add("c.json", try DockerParts.config([layers[0]]))
        tar.add("manifest.json", "[\(try DockerParts.item("c.json", ["a/layer.tar"], tags: nil))]")
        let archive = try scratch.docker(tar)
        let layer = try archive.manifest().layers[0]
        #expect(layer.size == Int64(layers[0].count))
        #expect(try archive.content(layer.digest, of: scratch.path("docker.tar")) == layers[0])
    }

    @Test func `forty links are followed, and no more`() throws {
        for (count, works) in [(40, true), (41, false)] {
            var tar = DockerTar()
            for number in 0..<count { tar.add("\(number)", link: "\(number + 1)") }
            tar.add("\(count)", layers[0])
            tar.add("c.json", try DockerParts.config([layers[0]]))
            tar.add("manifest.json", "[\(try DockerParts.item("c.json", ["0"], tags: nil))]")
            if works {
                #expect(try scratch.docker(tar).manifests.count == 1)
            } else {
                #expect(try scratch.dockerFailure(tar).code == .tooManyLinks(limit: 40))
            }
        }
    }

    @Test func `an empty layer, the same layer twice, and an image without layers are nothing special`() throws {
        let twice = [("1.tar", layers[0]), ("2.tar", TarBytes.end), ("1.tar", layers[0])]
        var tar = try DockerParts.archive(twice)
        tar.entries.remove(at: 2)
        let manifest = try scratch.docker(tar).manifest()
        #expect(try manifest.layers.map(\.digest) == twice.map { try Digest.of($0.1) })
        #expect(try scratch.docker(DockerParts.archive([("1.tar", [])])).manifest().layers.map(\.size) == [0])
        #expect(try scratch.docker(DockerParts.archive([])).manifest().layers == [])
        var bare = DockerTar()
        bare.add("c", "{}")
        bare.add("manifest.json", #"[{"Config":"c","Layers":null}]"#)
        #expect(try scratch.docker(bare).manifest().layers == [])
    }

    // MARK: - Compressed layers

    @Test(arguments: ["layer", "a/layer.tar", "CONTENT.tar.gz", "CONTENT.tar", "OTHER.tar", "short.tar.gz"])
    func `a compressed layer without its digest in its name is read`(name: String) throws {
        for (compressed, suffix) in [(try Gzip.compress(layers[0]), "gzip"), (try Zstd.compress(layers[0]), "zstd")] {
            let path = name.replacingOccurrences(of: "CONTENT", with: try Digest.of(layers[0]).hex)
                .replacingOccurrences(of: "OTHER", with: String(repeating: "a", count: 64))
            let archive = try scratch.docker(DockerParts.archive([(path, compressed)], content: [layers[0]]))
            let layer = try archive.manifest().layers[0]
            #expect(layer.mediaType == type("tar+\(suffix)"))
            #expect(layer.size == Int64(compressed.count))
            #expect(try archive.content(layer.digest, of: scratch.path("docker.tar")) == compressed)
        }
    }

    /// It is a claim as any manifest makes one: whoever moves or verifies the layer compares it.
    @Test(arguments: ["HEX.tar.gz", "HEX.tgz", "x/HEX.tar.zst", "blobs/sha256/HEX", "blobs/sha256/HEX.tar.gz"])
    func `a compressed layer has the digest that its name says`(name: String) throws {
        let claim = String(repeating: "a", count: 64)
        let path = name.replacingOccurrences(of: "HEX", with: claim)
        let tar = try DockerParts.archive([(path, Gzip.compress(layers[0]))], content: [layers[0]])
        let layer = try scratch.docker(tar).manifest().layers[0]
        #expect(layer.digest.hex == claim)
        #expect(layer.mediaType == type("tar+gzip"))
    }

    @Test func `a plain layer has the digest that the config says, and is not read`() throws {
        let path = try scratch.write([], to: "docker.tar")
        let layer = try #require(FileHandle(forWritingAtPath: path))
        let size = 1 << 30
        var rest = DockerTar()
        rest.add("c", try DockerParts.config([layers[0]]))
        rest.add("manifest.json", "[\(try DockerParts.item("c", ["big.tar"], tags: nil))]")
        try layer.write(contentsOf: TarBytes.header(path: "big.tar", byteCount: Int64(size)))
        try layer.seek(toOffset: UInt64(512 + size))
        try layer.write(contentsOf: rest.bytes)
        let archive = try scratch.docker(at: path)
        #expect(try archive.manifest().layers[0].digest == Digest.of(layers[0]))
        #expect(archive.blobs[try Digest.of(layers[0])] == 512..<Int64(512 + size))
    }

    @Test(.tags(.interop), arguments: ["xz", "bzip2"])
    func `a layer in a compression that no image may have is refused by its name`(tool: String) throws {
        for content in [layers[0], []] {
            let compressed = try Command(tool, ["-c"], input: content).check().output
            let error = try scratch.dockerFailure(DockerParts.archive([("l.tar", compressed)], content: [content]))
            #expect(error.code == .unsupportedCompression(tool))
            #expect(error.entry == "l.tar")
            #expect(error.description.contains(": entry l.tar: it is compressed with \(tool), which a layer"))
        }
    }

    @Test func `a file in a layer may be called as bzip2 begins`() throws {
        let layer = TarBytes.archive([TarBytes.File("BZh9", [1])])
        #expect(
            try scratch.docker(DockerParts.archive([("l.tar", layer)])).manifest().layers[0].mediaType == type("tar")
        )
    }

    // MARK: - Names

    @Test(
        arguments: [
            (nil, [nil]), ([], [nil]), (["alpine"], ["docker.io/library/alpine:latest"]),
            (["a/b:1", "localhost:5000/c:2"], ["docker.io/a/b:1", "localhost:5000/c:2"]),
            (["alpine:3", "docker.io/library/alpine:3", "library/alpine:3"], ["docker.io/library/alpine:3"]),
        ] as [([String]?, [String?])]
    )
    func `each tag is an entry under its full name`(tags: [String]?, names: [String?]) throws {
        let archive = try scratch.docker(DockerParts.archive([("1.tar", layers[0])], tags: tags))
        #expect(archive.names == names)
        #expect(Set(archive.manifests.map(\.digest)).count == 1)
        #expect(archive.made.count == 1)
    }

    @Test func `several images share what they have in common`() throws {
        var tar = DockerTar()
        let digests = try layers.map { try Digest.of($0).hex }
        for (digest, bytes) in zip(digests, layers) { tar.add("\(digest).tar", bytes) }
        tar.add("1.json", try DockerParts.config(layers, note: "one"))
        tar.add("2.json", try DockerParts.config([layers[0]], note: "two"))
        let items = try [
            DockerParts.item("1.json", digests.map { "\($0).tar" }, tags: ["a:1", "a:2"]),
            DockerParts.item("2.json", ["\(digests[0]).tar"], tags: nil),
            DockerParts.item("1.json", digests.map { "\($0).tar" }, tags: ["a:2", "b:1"]),
            DockerParts.item("2.json", ["\(digests[0]).tar"], tags: nil),
        ]
        tar.add("manifest.json", "[\(items.joined(separator: ","))]")
        let archive = try scratch.docker(tar)
        #expect(
            archive.names == ["docker.io/library/a:1", "docker.io/library/a:2", nil, "docker.io/library/b:1"]
        )
        #expect(archive.manifests[0].digest == archive.manifests[3].digest)
        #expect(archive.made.count == 2)
        #expect(archive.blobs.count == 4)
    }

    @Test func `an archive may list nothing`() throws {
        var tar = DockerTar()
        tar.add("manifest.json", "[]")
        #expect(try scratch.docker(tar).manifests == [])
    }

    // MARK: - What else is there

    @Test func `the order of the entries does not matter`() throws {
        var tar = try DockerParts.archive(
            [("a/layer.tar", layers[0]), ("b/layer.tar", Gzip.compress(layers[1]))],
            content: layers
        )
        tar.add("c/layer.tar", link: "../a/layer.tar")
        let first = try scratch.docker(tar)
        var generator = SplitMix64(seed: 3)
        for _ in 0..<10 {
            tar.entries.shuffle(using: &generator)
            let archive = try scratch.docker(tar)
            #expect(archive.manifests == first.manifests)
            #expect(archive.made == first.made)
            #expect(archive.blobs.mapValues(\.count) == first.blobs.mapValues(\.count))
        }
    }

    @Test func `what no image needs may be anything`() throws {
        var tar = try DockerParts.archive([("a/layer.tar", layers[0])])
        tar.add("repositories", "not even JSON")
        tar.add("out", link: "/etc/passwd")
        tar.add("loop", link: "loop")
        tar.entries += [("pipe", .other("6")), ("a/", .other("5")), ("a/", .other("5"))]
        #expect(try scratch.docker(tar).names == ["docker.io/library/alpine:3.20"])
    }

    /// As go-containerregistry writes it for two images of one config.
    @Test func `a config may be there twice where both are the same`() throws {
        var tar = try DockerParts.archive([("1.tar", layers[0])])
        let config = try DockerParts.config([layers[0]])
        tar.add("config.json", config)
        #expect(try scratch.docker(tar).manifest().config.digest == Digest.of(config))
        tar.add("./config.json", config.dropLast() + [UInt8(ascii: " ")])
        let error = try scratch.dockerFailure(tar)
        #expect(error.code == .duplicateEntry)
        #expect(error.entry == "./config.json")
        #expect(error.isContentDamage)
    }
}
