import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Archives of Docker that are damaged, or made to do harm.
@Suite struct DockerDamageTests {
    let scratch: ScratchDirectory
    let layer = DockerParts.layer(1)

    init() throws { scratch = try ScratchDirectory() }

    /// An archive whose only layer is a link.
    private func linked(_ links: [(String, DockerTar.Content)]) throws -> DockerTar {
        var tar = try DockerParts.archive([("l.tar", layer)])
        tar.entries.removeFirst()
        tar.entries += links.map { ($0.0, $0.1) }
        return tar
    }

    // MARK: - Links

    @Test(arguments: ["/etc/passwd", "../l.tar", "a/../../b", "..", ".", "", "a/.."])
    func `a link that leads out of the archive is refused`(target: String) throws {
        for content in [DockerTar.Content.symbolicLink(target), .hardLink(target)] {
            // Without a target a header makes no hard link.
            if case .hardLink("") = content { continue }
            let error = try scratch.dockerFailure(linked([("l.tar", content)]))
            #expect(error.code == .linkLeadsOut)
            #expect(error.entry == "l.tar")
            #expect(error.description.hasSuffix("docker.tar: entry l.tar: it is a link that leads out of the archive"))
        }
    }

    @Test(arguments: [[("l.tar", "l.tar")], [("l.tar", "a"), ("a", "b"), ("b", "l.tar")]])
    func `links that lead to each other are refused`(links: [(String, String)]) throws {
        for content in [DockerTar.Content.symbolicLink, DockerTar.Content.hardLink] {
            let error = try scratch.dockerFailure(linked(links.map { ($0.0, content($0.1)) }))
            #expect(error.code == .tooManyLinks(limit: 40))
            #expect(error.entry == "l.tar")
        }
    }

    @Test func `a link to nothing tells what is missing`() throws {
        let error = try scratch.dockerFailure(linked([("l.tar", .symbolicLink("a/layer.tar"))]))
        #expect(error.code == .missingEntry("a/layer.tar"))
        #expect(error.entry == "l.tar")
    }

    @Test func `a layer that is no file is refused`() throws {
        let error = try scratch.dockerFailure(linked([("l.tar", .other("6"))]))
        #expect(error.code == .unsupportedEntry(kind: "a device, a pipe or a socket"))
        #expect(error.entry == "l.tar")
    }

    @Test(arguments: ["/etc/passwd", "../up", "a/../b"])
    func `a path that leads out is refused even where nobody needs it`(path: String) throws {
        var tar = try DockerParts.archive([("l.tar", layer)])
        tar.add(path, [1])
        let error = try scratch.dockerFailure(tar)
        #expect(error.code == .unsafePath)
        #expect(error.entry == path)
    }

    // MARK: - What the archive says

    @Test(arguments: ["l.tar", "config.json"])
    func `what is missing is named`(path: String) throws {
        var tar = try DockerParts.archive([("l.tar", layer)])
        tar.entries.removeAll { $0.path == path }
        let error = try scratch.dockerFailure(tar)
        #expect(error.code == .missingEntry(path))
        #expect(error.entry == "manifest.json")
        #expect(error.description.hasSuffix("entry manifest.json: it needs \(path), which is not in the archive"))
        #expect(error.isContentDamage)
    }

    @Test(arguments: ["../../etc/passwd", "/etc/passwd", "", "."])
    func `a path in the list never leads out of the archive`(path: String) throws {
        var tar = try DockerParts.archive([("l.tar", layer)])
        tar.entries.removeLast()
        tar.add("manifest.json", "[\(try DockerParts.item(path, ["l.tar"], tags: nil))]")
        #expect(try scratch.dockerFailure(tar).code == .missingEntry(path))
    }

    @Test(arguments: [0, 2, 3])
    func `a config of another number of layers is refused`(count: Int) throws {
        let content = (0..<count).map { _ in layer }
        let error = try scratch.dockerFailure(DockerParts.archive([("l.tar", layer)], content: content))
        #expect(error.code == .differentLayerCounts(layers: 1, diffIDs: count))
        #expect(error.entry == "config.json")
        #expect(error.isContentDamage)
    }

    @Test(arguments: [
        ("", "it is not JSON"), ("{", "it is not JSON"), ("[]", "it is no JSON object"),
        (#"{"rootfs":{"diff_ids":["sha256:0"]}}"#, "rootfs.diff_ids.0: "),
    ])
    func `a config that makes no sense is refused`(text: String, reason: String) throws {
        var tar = try DockerParts.archive([("l.tar", layer)])
        tar.entries[1].content = .file(Array(text.utf8))
        let error = try scratch.dockerFailure(tar)
        guard case .invalidDocument(let digest, let cause) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(try digest == Digest.of(Array(text.utf8)))
        #expect(cause.description.contains(reason))
        #expect(error.entry == "config.json")
    }

    @Test(arguments: [
        ("", "it is not JSON"), ("{}", "it has the wrong type"), ("[{}]", "Config is missing"),
        (#"[{"Config":1,"Layers":[]}]"#, "Config has the wrong type"),
        (#"[{"Config":"c","Layers":"l.tar"}]"#, "Layers has the wrong type"),
    ])
    func `a list that makes no sense is refused`(text: String, reason: String) throws {
        var tar = DockerTar()
        tar.add("manifest.json", text)
        let error = try scratch.dockerFailure(tar)
        #expect(error.code == .unreadable(reason: reason))
        #expect(error.entry == "manifest.json")
    }

    // MARK: - Names

    @Test(arguments: [
        ("Alpine:3", ReferenceError.Code.nameContainsUppercase), ("<none>:<none>", .invalidFormat),
        ("", .nameEmpty), ("a:\u{1b}[2J", .invalidTag),
    ])
    func `a tag that is no name is refused by it`(tag: String, expected: ReferenceError.Code) throws {
        let error = try scratch.dockerFailure(DockerParts.archive([("l.tar", layer)], tags: ["a:1", tag]))
        guard case .invalidName(let cause) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(cause.text == tag)
        #expect(cause.code == expected)
        #expect(error.entry == "manifest.json")
        #expect(!error.description.contains("\u{1b}"))
    }

    @Test(arguments: ["a@sha256:", "a:1@sha256:"])
    func `a name with a digest is refused`(name: String) throws {
        let name = name + String(repeating: "0", count: 64)
        let error = try scratch.dockerFailure(DockerParts.archive([("l.tar", layer)], tags: [name]))
        #expect(error.code == .nameWithDigest(name))
    }

    @Test func `one name for two images is refused`() throws {
        var tar = DockerTar()
        tar.add("l.tar", layer)
        for number in ["1", "2"] { tar.add(number, try DockerParts.config([layer], note: number)) }
        let items = try [
            DockerParts.item("1", ["l.tar"], tags: ["alpine:3"]),
            DockerParts.item("2", ["l.tar"], tags: ["docker.io/library/alpine:3"]),
        ]
        tar.add("manifest.json", "[\(items.joined(separator: ","))]")
        let error = try scratch.dockerFailure(tar)
        guard case .conflictingNames("docker.io/library/alpine:3", let one, let other) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(one != other)
        #expect(error.isContentDamage)
    }

    // MARK: - Limits

    @Test(arguments: [(10_000, true), (10_001, false)])
    func `an image may have ten thousand layers`(count: Int, works: Bool) throws {
        var tar = DockerTar()
        tar.add("l.tar", layer)
        tar.add("c", try DockerParts.config([[UInt8]](repeating: layer, count: count)))
        let paths = [String](repeating: "l.tar", count: count)
        tar.add("manifest.json", "[\(try DockerParts.item("c", paths, tags: nil))]")
        if works {
            let archive = try scratch.docker(tar)
            #expect(try archive.manifest().layers.count == count)
            #expect(archive.manifests[0].size < Document.byteLimit)
        } else {
            #expect(try scratch.dockerFailure(tar).code == .tooManyLayers(limit: 10_000))
        }
    }

    @Test(arguments: [
        ("manifest.json", LayoutReader.indexByteLimit), ("repositories", LayoutReader.indexByteLimit),
        ("config.json", ImageConfig.byteLimit), ("a/json", ImageConfig.byteLimit),
    ])
    func `what is too large is refused before it is read`(path: String, limit: Int) throws {
        var tar = DockerTar()
        if path == "config.json" {
            tar.add("manifest.json", #"[{"Config":"config.json","Layers":[]}]"#)
        } else if path == "a/json" {
            tar.add("repositories", #"{"a":{"1":"a"}}"#)
        }
        let beginning = tar.bytes.dropLast(1024) + TarBytes.header(path: path, byteCount: Int64(limit + 1))
        let file = try scratch.write(beginning, to: "docker.tar")
        #expect(truncate(file, off_t(beginning.count + limit + 512 + 1024)) == 0)
        let error = try #require(throws: LayoutError.self) { try scratch.docker(at: file) }
        #expect(error.code == .tooManyBytes(Int64(limit + 1), limit: limit))
        #expect(error.entry == path)
    }

    /// A list of a few bytes for each layer can ask for a manifest of a hundred and sixty.
    @Test func `a small archive does not become gigabytes`() throws {
        let path = try scratch.write(try DockerParts.archive([]).bytes, to: "docker.tar")
        let file = OpenFile(descriptor: open(path, O_RDONLY | O_CLOEXEC), path: path, operation: .reading)
        var images = DockerImages(file: file, entries: try #require(LayoutEntries(of: file).docker))
        let count = DockerImages.documentByteLimit / (16 << 20)
        for number in 1...count {
            // The same again takes no room.
            for _ in 0..<2 { _ = try images.add(made: [UInt8](repeating: UInt8(number), count: 16 << 20), for: "x") }
        }
        let error = try #require(throws: LayoutError.self) { _ = try images.add(made: [1], for: "x") }
        #expect(error.code == .tooManyDocumentBytes(limit: DockerImages.documentByteLimit))
        #expect(error.entry == "x")
    }

    @Test func `random damage is an error, never a crash`() throws {
        var tar = try DockerParts.archive(
            [("a/layer.tar", layer), ("b/layer.tar", Gzip.compress(layer))],
            content: [layer, layer]
        )
        tar.add("c/layer.tar", link: "../a/layer.tar")
        let whole = tar.bytes
        var generator = SplitMix64(seed: 7)
        for _ in 0..<300 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let path = try scratch.write(damaged, to: "docker.tar")
            do {
                let file = OpenFile(descriptor: open(path, O_RDONLY | O_CLOEXEC), path: path, operation: .reading)
                if let docker = try LayoutEntries(of: file).docker { _ = try DockerArchive(of: file, entries: docker) }
            } catch {
                #expect(error.path == path)
            }
        }
    }
}
