import Foundation
import OCI
import TestSupport
import Testing

/// What the torture and the load are judged by can find fault.
@Suite struct ServeTreeTests {
    private let scratch: ScratchDirectory
    private let storage: RegistryStorage
    private let image: TestImage

    init() throws {
        scratch = try ScratchDirectory()
        storage = RegistryStorage(root: scratch.path)
        var builder = ImageBuilder(seed: 770)
        image = try builder.image()
        try storage.add(image, repository: "app", tag: "1")
    }

    private let base = "docker/registry/v2/repositories/app"

    @Test func `a whole registry has no problems, and everything of it is found`() throws {
        let tree = try ServeTree(root: scratch.path)
        #expect(tree.problems == [])
        #expect(tree.contents == Set(try image.allBytes.keys))
        #expect(tree.blobs == ["app": Set(image.blobs.map(\.digest))])
        #expect(tree.manifests == ["app": [image.digest]])
        #expect(tree.tags == ["app:1": image.digest])
    }

    @Test func `whatever is wrong is a problem`() throws {
        let layer = image.layers[0]
        func expectProblem(_ start: String, _ change: () throws -> Void, undo: () throws -> Void) throws {
            try change()
            let problems = try ServeTree(root: scratch.path).problems
            #expect(problems.contains { $0.hasPrefix(start) }, "\(start): \(problems)")
            try undo()
            #expect(try ServeTree(root: scratch.path).problems == [])
        }
        func expectProblem(_ start: String, file: String, _ text: String) throws {
            let path = "\(base)/\(file)"
            let before = scratch.contains(path) ? try scratch.read(path) : nil
            try expectProblem(
                start,
                { try scratch.write(text, to: path) },
                undo: {
                    if let before {
                        _ = try scratch.write(before, to: path)
                        return
                    }
                    try FileManager.default.removeItem(atPath: scratch.path(path))
                }
            )
        }
        let bytes = try layer.bytes
        try expectProblem(
            "torn: docker/registry/v2/blobs/",
            { try storage.corrupt(layer.digest, with: bytes.dropLast()) },
            undo: { try storage.corrupt(layer.digest, with: bytes) }
        )
        try expectProblem(
            "app has a link to a blob that is not there",
            { try storage.removeBlob(layer.digest) },
            undo: { try storage.add(layer, repository: "app") }
        )
        let link = "_layers/\(layer.digest.algorithm)/\(layer.digest.hex)/link"
        try expectProblem("torn: ", file: link, String("\(layer.digest)".dropLast()))
        try expectProblem("a file that has no place: ", file: link, image.digest.description)
        try expectProblem("a file that has no place: ", file: "_layers/link-1", "x")
        try expectProblem("app:1 points at", file: "_manifests/tags/1/current/link", layer.digest.description)
        let path = scratch.path("\(base)/\(link)")
        try expectProblem(
            "app has the manifest \(image.digest) without its blob \(layer.digest)",
            { try FileManager.default.removeItem(atPath: path) },
            undo: { try Data("\(layer.digest)".utf8).write(to: URL(fileURLWithPath: path)) }
        )
        // Even when there is nothing in it.
        let session = scratch.path("\(base)/_uploads/session")
        try expectProblem(
            "left over: ",
            { try FileManager.default.createDirectory(atPath: session, withIntermediateDirectories: true) },
            undo: { try FileManager.default.removeItem(atPath: session) }
        )
        #expect(try ServeTree.uploads(root: scratch.path) == [])
    }
}
