import Foundation
import OCI
import TestSupport
import Testing

/// Who takes which bundle, as the README's table has it: images of other tools, through ours, into other tools.
@Suite(.tags(.interop)) struct ConsumerTests {
    @Test func `skopeo copies all but what is left out`() async throws {
        let images = try await ToolImages()
        let scratch = images.terminal.scratch
        for (file, names) in try await images.bundles() {
            for (number, name) in names.enumerated() {
                let target = "\(file)-\(number)"
                let copy = ["copy", "--insecure-policy", "--all", "--preserve-digests", "oci-archive:\(file):\(name)"]
                let outcome = try await images.attempt("skopeo", copy + ["dir:\(target)"])
                guard file != "sparse.tar" else {
                    #expect(outcome.status != 0)
                    // The one platform that is there it takes.
                    try await images.run("skopeo", ["copy", "--insecure-policy"] + copy.suffix(1) + ["dir:one"])
                    continue
                }
                #expect(outcome.status == 0, "\(file): \(outcome.errorText)")
                let listed = try await digests(in: file, images)
                let digest = try Digest.of(try scratch.read("\(target)/manifest.json"))
                #expect(digest.description == listed[name])
            }
        }
    }

    /// It takes a name for one image.
    @Test func `umoci unpacks what is for one platform`() async throws {
        let images = try await ToolImages()
        let scratch = images.terminal.scratch
        var unpacked: [String: Bool] = [:]
        for (file, names) in try await images.bundles() {
            try scratch.write("", to: "\(file)-layout/mark")
            try await images.run("tar", ["-xf", file, "-C", "\(file)-layout"])
            for (number, name) in names.enumerated() {
                let target = "\(file)-\(number)"
                let image = "\(file)-layout:\(name)"
                let outcome = try await images.attempt("umoci", ["unpack", "--rootless", "--image", image, target])
                let isThere = scratch.contains("\(target)/rootfs/etc/architecture")
                #expect(isThere == (outcome.status == 0), "\(outcome.errorText)")
                unpacked["\(file) \(name == images.app ? "app" : "part")"] = isThere
            }
        }
        #expect(
            unpacked == [
                "single.tar part": true, "multi.tar app": false, "stripped.tar app": true, "sparse.tar app": false,
                "signed.tar app": false, "many.tar app": false, "many.tar part": true,
            ]
        )
    }

    @Test func `podman loads every image of every bundle`() async throws {
        let images = try await ToolImages()
        for (file, names) in try await images.bundles() {
            let loaded = try await images.run("podman", images.podman(["load", "-i", file]))
            #expect(loaded.sorted() == names.map { "Loaded image: \($0)" }, "\(file)")
        }
    }

    @Test func `containerd imports every image of every bundle`() async throws {
        let images = try await ToolImages()
        let containerd = try Containerd(in: images.terminal.scratch)
        let control = ["--address", containerd.address, "images"]
        for (file, names) in try await images.bundles() {
            let listed = try await digests(in: file, images)
            for platforms in [[], ["--all-platforms"]] {
                let arguments = control + ["import", "--no-unpack"] + platforms + [file]
                guard file != "sparse.tar" || platforms.isEmpty else {
                    // It is told to want what is not there.
                    #expect(try await images.attempt("ctr", arguments).status != 0)
                    continue
                }
                try await images.run("ctr", arguments)
                let lines = try await images.run("ctr", control + ["ls"])
                #expect(lines.count == 1 + names.count, "\(file)")
                for name in names {
                    let line = lines.first { $0.hasPrefix("\(name) ") }
                    #expect(try line?.contains(" \(#require(listed[name])) ") == true, "\(file)")
                }
                try await images.run("ctr", control + ["rm"] + names)
            }
        }
    }

    /// What the list says of each image.
    private func digests(in file: String, _ images: ToolImages) async throws -> [String: String] {
        let outcome = try await images.terminal.drayage("list", "--json", file)
        let document = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [String: Any])
        let entries = try #require(document["images"] as? [[String: Any]])
        return Dictionary(
            uniqueKeysWithValues: entries.map { ($0["reference"] as? String ?? "", $0["digest"] as? String ?? "") }
        )
    }
}
