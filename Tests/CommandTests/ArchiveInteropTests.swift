import OCI
import TestSupport
import Testing

/// Readers of archives and of layouts take what we write.
@Suite(.tags(.interop)) struct ArchiveInteropTests {
    @Test(arguments: ["bsdtar", "tar"])
    func `tar lists and extracts the bundle`(tool: String) async throws {
        let bundle = try await DebianBundle()
        let scratch = bundle.terminal.scratch
        let blobs = Set(bundle.images.flatMap(\.image.documents).map(\.digest))
            .union(bundle.images.flatMap(\.image.blobs).map(\.digest))
        let listing = try await bundle.run(tool, ["-tvf", "bundle.tar"])
        #expect(listing.errorText == "")
        let lines = listing.outputText.split(separator: "\n")
        #expect(lines.count == 3 + blobs.count)
        #expect(lines.allSatisfy { $0.hasPrefix("-rw-r--r-- ") })
        #expect(lines.prefix(3).map { $0.split(separator: " ").last } == ["oci-layout", "index.json", "manifest.json"])
        try scratch.write("", to: "out/mark")
        _ = try await bundle.run(tool, ["-xf", "bundle.tar", "-C", "out"])
        #expect(try scratch.names(in: "out") == ["blobs", "index.json", "manifest.json", "mark", "oci-layout"])
        #expect(try scratch.names(in: "out/blobs/sha256") == blobs.map(\.hex).sorted())
        for named in bundle.images {
            for document in named.image.documents {
                #expect(try scratch.read("out/blobs/sha256/\(document.digest.hex)") == document.bytes)
            }
        }
    }

    @Test func `skopeo takes each OCI image out by its name, with all platforms and equal digests`() async throws {
        let bundle = try await DebianBundle()
        let images = bundle.images.filter(\.isOCI)
        #expect(images.count == 3)
        for (number, named) in images.enumerated() {
            try await copy("bundle.tar:\(bundle.reference(named))", named, number, bundle)
        }
    }

    /// skopeo 1.9 selects no entry of a Docker type by its name; it takes the only one that there is.
    @Test func `skopeo takes each Docker image out of a bundle of its own`() async throws {
        let bundle = try await DebianBundle()
        let images = bundle.images.filter { !$0.isOCI }
        #expect(images.count == 3)
        for (number, named) in images.enumerated() {
            try await bundle.bundle([named], as: "\(number).tar")
            try await copy("\(number).tar", named, number, bundle)
        }
    }

    private func copy(_ source: String, _ named: DebianImages.Named, _ number: Int, _ bundle: DebianBundle) async throws
    {
        let arguments = ["copy", "--insecure-policy", "--all", "--preserve-digests"]
        _ = try await bundle.run("skopeo", arguments + ["oci-archive:\(source)", "dir:out-\(number)"])
        let scratch = bundle.terminal.scratch
        #expect(try scratch.read("out-\(number)/manifest.json") == named.image.document.bytes)
        for child in named.image.children {
            #expect(try scratch.read("out-\(number)/\(child.digest.hex).manifest.json") == child.document.bytes)
        }
        for blob in named.image.blobs {
            #expect(try Digest.of(scratch.read("out-\(number)/\(blob.digest.hex)")) == blob.digest)
        }
    }

    @Test func `umoci reads the extracted layout of an image for one platform`() async throws {
        let bundle = try await DebianBundle()
        let named = try #require(bundle.images.first { $0.repository == "tools/busybox" && $0.isOCI })
        try await bundle.bundle([named], as: "one.tar")
        try bundle.terminal.scratch.write("", to: "layout/mark")
        _ = try await bundle.run("tar", ["-xf", "one.tar", "-C", "layout"])
        let name = bundle.reference(named)
        #expect(try await bundle.run("umoci", ["ls", "--layout", "layout"]).outputText == "\(name)\n")
        let description = try await bundle.run("umoci", ["stat", "--image", "layout:\(name)", "--json"]).outputText
        #expect(description.contains("\(named.image.layers[0].digest)"))
        _ = try await bundle.run("umoci", ["unpack", "--rootless", "--image", "layout:\(name)", "unpacked"])
        #expect(bundle.terminal.scratch.contains("unpacked/rootfs/bin/busybox"))
    }
}
