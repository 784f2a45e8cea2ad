import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What another registry makes of a directory from which much was removed.
@Suite(.tags(.interop)) struct RemovalInteropTests {
    let scratch: ScratchDirectory
    let root: String
    let pruned: PrunedRegistry

    init() throws {
        scratch = try ScratchDirectory()
        root = scratch.path("root")
        pruned = try PrunedRegistry(root)
        let directory = try RegistryDirectory(path: root, access: .readWrite)
        try directory.removeAll(pruned.removal(from: directory.survey()))
    }

    private func get(_ path: String, _ registry: DockerRegistry) throws -> (status: String, body: [UInt8]) {
        let accept = "Accept: \(MediaType.ociManifest), \(MediaType.ociIndex)"
        let url = "http://\(registry.address)/v2/\(path)"
        let file = scratch.path("body")
        let status = try Command("curl", ["-s", "-o", file, "-w", "%{http_code}", "-H", accept, url]).check().outputText
        return (status, try scratch.read("body"))
    }

    @Test func `it serves what stayed, and has never heard of the rest`() throws {
        let registry = try DockerRegistry(root: root)
        #expect(
            try String(decoding: get("_catalog", registry).body, as: UTF8.self).contains(#"["team/app","team/lists"]"#)
        )
        for entry in pruned.entries {
            let name = entry.repository.description
            let manifest = try get("\(name)/manifests/\(entry.tag)", registry)
            #expect(manifest.status == (entry.isKept ? "200" : "404"), "\(name):\(entry.tag)")
            guard entry.isKept else { continue }
            #expect(manifest.body == entry.image.document.bytes)
            for document in entry.image.documents {
                #expect(try get("\(name)/manifests/\(document.digest)", registry).body == document.bytes)
            }
            for blob in entry.image.blobs {
                #expect(try get("\(name)/blobs/\(blob.digest)", registry).body == blob.bytes)
            }
        }
        let list = pruned.entries[2].image
        #expect(try get("team/app/manifests/\(list.digest)", registry).status == "404")
        #expect(try get("team/app/manifests/\(list.children[1].digest)", registry).status == "404")
        #expect(try get("team/app/blobs/\(list.children[1].layers[0].digest)", registry).status == "404")
        for name in ["team/app/tools", "old/deep/gone"] {
            #expect(try get("\(name)/tags/list", registry).status == "404")
        }
        let tags = try String(decoding: get("team/app/tags/list", registry).body, as: UTF8.self)
        for tag in ["v2", "same", "ghost"] { #expect(!tags.contains(#""\#(tag)""#), "\(tags)") }
    }

    @Test func `its own garbage collector finds nothing more`() throws {
        let before = try fileTree(root)
        let configuration = "version: 0.1\nstorage:\n  filesystem: {rootdirectory: \(root)}\n"
        let config = try scratch.write(configuration, to: "config.yml")
        let outcome = try Command("docker-registry", ["garbage-collect", config]).check()
        #expect(outcome.outputText.contains("0 blobs and 0 manifests eligible for deletion"), "\(outcome.outputText)")
        #expect(try fileTree(root) == before)
    }
}
