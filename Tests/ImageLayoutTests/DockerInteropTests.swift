import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Archives that other programs made, and what they make of ours.
@Suite(.tags(.interop)) struct DockerInteropTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func skopeo(_ arguments: [String]) throws {
        try Command("skopeo", ["--insecure-policy"] + arguments).check()
    }

    private func podman(_ arguments: [String]) throws {
        let storage = ["--root", scratch.path("root"), "--runroot", scratch.path("run"), "--storage-driver", "vfs"]
        try Command("podman", storage + arguments).check()
    }

    /// A directory that is a layout of images with some layers in common.
    private func layout() throws -> NamedImages {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer()
        let images = try NamedImages([
            ("r.example/one:1", builder.image(layers: [shared, builder.layer()])),
            ("r.example/two:2", builder.image(layers: [shared, builder.layer(), shared])),
        ])
        for (path, bytes) in try layoutFiles(images) { try scratch.write(bytes, to: "layout/\(path)") }
        return images
    }

    /// Holds what was read against the images that went in.
    private func expect(_ archive: DockerArchive, of path: String, _ images: NamedImages) throws {
        #expect(Set(archive.names) == Set(images.images.map(\.name)))
        for (number, top) in archive.manifests.enumerated() {
            let image = try #require(images.images.first { $0.name == top.imageName }?.image)
            let manifest = try archive.manifest(number)
            #expect(manifest.layers.map(\.digest) == image.layers.map(\.diffID))
            let config = try archive.content(manifest.config.digest, of: path)
            #expect(try ImageConfig(bytes: config).diffIDs == manifest.layers.map(\.digest))
            for layer in manifest.layers { #expect(try archive.content(layer.digest, of: path).count == layer.size) }
        }
    }

    @Test func `skopeo's archive is read, and skopeo makes the same of what is read`() throws {
        let images = try layout()
        for (number, named) in images.images.enumerated() {
            let (first, second) = (scratch.path("\(number)-first.tar"), scratch.path("\(number)-second.tar"))
            try skopeo(["copy", "oci:\(scratch.path("layout")):\(named.name)", "docker-archive:\(first):\(named.name)"])
            let archive = try scratch.docker(at: first)
            try expect(archive, of: first, NamedImages([(named.name, named.image)]))
            try archive.write(of: first, to: "again-\(number)", in: scratch)
            let again = "oci:\(scratch.path("again-\(number)")):\(named.name)"
            try skopeo(["inspect", again])
            try skopeo(["copy", again, "docker-archive:\(second):\(named.name)"])
            #expect(try scratch.docker(at: second).manifests == archive.manifests)
        }
    }

    @Test func `umoci unpacks what is read of skopeo's archive`() throws {
        let name = try layout().images[1].name
        let path = scratch.path("docker.tar")
        try skopeo(["copy", "oci:\(scratch.path("layout")):\(name)", "docker-archive:\(path):\(name)"])
        try scratch.docker(at: path).write(of: path, to: "again", in: scratch)
        let image = "\(scratch.path("again")):\(name)"
        try Command("umoci", ["unpack", "--rootless", "--image", image, scratch.path("unpacked")]).check()
        #expect(try scratch.names(in: "unpacked/rootfs/srv").count == 2)
    }

    @Test(arguments: ["docker-archive", "oci-archive"])
    func `podman's archive is told and read`(format: String) throws {
        let images = try layout()
        try images.write(to: scratch.path("bundle.tar"))
        try podman(["load", "-q", "-i", scratch.path("bundle.tar")])
        let path = scratch.path("saved.tar")
        let many = format == "docker-archive" ? ["-m"] : []
        let names = many.isEmpty ? [images.images[0].name] : images.images.map(\.name)
        try podman(["save", "-q"] + many + ["--format", format, "-o", path] + names)
        guard format == "docker-archive" else {
            #expect(try LayoutReader(path: path).images.count == 1)
            return
        }
        try expect(scratch.docker(at: path), of: path, images)
    }

    /// skopeo and podman write both; Docker before version 1.10 read this one.
    @Test func `skopeo's archive without its list is one of the oldest`() throws {
        let named = try layout().images[1]
        let path = scratch.path("docker.tar")
        try skopeo(["copy", "oci:\(scratch.path("layout")):\(named.name)", "docker-archive:\(path):\(named.name)"])
        try scratch.write("", to: "out/manifest.json")
        try Command("tar", ["-xf", path, "-C", scratch.path("out")]).check()
        try Command("tar", ["-cf", path, "-C", scratch.path("out"), "--exclude", "./manifest.json", "."]).check()
        let archive = try scratch.docker(at: path)
        try expect(archive, of: path, NamedImages([(named.name, named.image)]))
        try archive.write(of: path, to: "again", in: scratch)
        let image = "\(scratch.path("again")):\(named.name)"
        try skopeo(["inspect", "oci:\(image)"])
        try Command("umoci", ["unpack", "--rootless", "--image", image, scratch.path("unpacked")]).check()
        #expect(try scratch.names(in: "unpacked/rootfs/srv").count == 2)
    }
}
