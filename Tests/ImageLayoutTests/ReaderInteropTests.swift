import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What other programs make of a bundle.
@Suite(.tags(.interop)) struct ReaderInteropTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private var path: String { scratch.path("bundle.tar") }

    /// One image of each kind that others can run.
    private func images() throws -> NamedImages {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer()
        var images = try [
            ("docker.io/library/one:1", builder.image(layers: [shared, builder.layer()])),
            ("r.example:5000/team/many:2", builder.multiPlatform(sharing: [shared], attested: true)),
        ]
        builder.family = .docker
        images.append(("docker.io/library/docker:3", try builder.image(layers: [builder.layer()])))
        return NamedImages(images)
    }

    @Test func `skopeo takes each OCI image out by its name, unchanged`() throws {
        let images = try images()
        try images.write(to: path)
        for (name, image) in images.images where image.top.mediaType.rawValue.contains("oci") {
            let target = scratch.path("out-\(image.digest.hex)")
            let source = "oci-archive:\(path):\(name)"
            try Command("skopeo", ["copy", "--all", "--preserve-digests", source, "dir:\(target)"]).check()
            let manifest = try Data(contentsOf: URL(fileURLWithPath: target + "/manifest.json"))
            #expect(try Digest.of(manifest) == image.digest)
        }
    }

    @Test func `podman loads every tag`() throws {
        let images = try images()
        try images.write(to: path)
        let storage = ["--root", scratch.path("root"), "--runroot", scratch.path("run"), "--storage-driver", "vfs"]
        try Command("podman", storage + ["load", "-q", "-i", path]).check()
        let format = ["images", "--format", "{{.Repository}}:{{.Tag}}"]
        let listed = try Command("podman", storage + format).check().outputText.split(separator: "\n").map(String.init)
        #expect(Set(listed) == Set(images.images.map(\.name)))
    }

    @Test func `umoci unpacks an extracted image`() throws {
        var builder = ImageBuilder(seed: 2)
        let image = try builder.image()
        try NamedImages([("r.example/a:1", image)]).write(to: path)
        let layout = scratch.path("layout")
        try FileManager.default.createDirectory(atPath: layout, withIntermediateDirectories: false)
        try Command("tar", ["-xf", path, "-C", layout]).check()
        let lines = try Command("umoci", ["ls", "--layout", layout]).check().outputText
        #expect(lines == "r.example/a:1\n")
        try Command("umoci", ["stat", "--image", "\(layout):r.example/a:1"]).check()
    }
}
