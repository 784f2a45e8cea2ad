import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What is put together by hand is what the encoder would have made of it.
@Suite struct JSONTextTests {
    /// Every character that stands for itself in one way or another, and all that do not.
    private static let texts =
        ["", "plain", #"a"b\c/d"#, "é ü 漢字 🚢", "\u{7f}\u{80}\u{2028}\u{2029}\u{feff}", "e\u{301}"]
        + (0..<0x20 as Range<UInt8>).map { "a\(Character(Unicode.Scalar($0)))b" }

    @Test(arguments: texts) func `a text is escaped as the encoder does it`(text: String) throws {
        var json = JSONText()
        json.append(text: text)
        #expect(json.bytes == (try deterministicJSON(text)))
    }

    @Test func `a descriptor has all its fields, sorted`() throws {
        let hex = String(repeating: "ab", count: 32)
        let annotations = Self.texts.enumerated().map { index, text in "\(index)\(text)" } + ["e\u{301}", "f"]
        let fields: [String: JSONValue] = [
            "mediaType": .string("application/x+\"json\""), "digest": .string("sha256:\(hex)"),
            "size": .integer(.max), "artifactType": .string("a/b"),
            "urls": .array(Self.texts.map { .string($0) }),
            "annotations": .object(Dictionary(uniqueKeysWithValues: annotations.map { ($0, .string($0)) })),
            "platform": .object([
                "os": .string("windows"), "architecture": .string("amd64"), "os.version": .string("10.0"),
            ]),
        ]
        let bare = #"{"mediaType":"a/b","digest":"sha256:\#(hex)","size":0}"#
        let empty = #"{"mediaType":"a/b","digest":"sha256:\#(hex)","size":0,"urls":[],"annotations":{}}"#
        for text in [try JSONEncoder().encode(fields), Data(bare.utf8), Data(empty.utf8)] {
            let descriptor = try JSONDecoder().decode(Descriptor.self, from: text)
            var json = JSONText()
            try json.append(descriptor)
            #expect(json.bytes == (try deterministicJSON(descriptor)))
        }
    }

    @Test func `the files of a layout are as the encoder makes them`() throws {
        var builder = ImageBuilder(seed: 1)
        let names = NamedImages([("r.test/a:1", try builder.image()), (#"r.test/b\"c:2"#, try builder.image())])
        let images = names.layoutImages
        let referrer = LayoutReferrer(
            descriptor: images[0].descriptor,
            subject: images[1].descriptor.digest,
            repository: nil
        )
        let plan = try LayoutPlan(images: images, referrers: [referrer], documents: try names.documents)
        let index = LayoutIndex(images: plan.images, referrers: plan.referrers)
        #expect(plan.indexBytes == (try deterministicJSON(index)))
        let files = plan.known.filter { $0.path.hasSuffix(".json") }
        #expect(files.map(\.path) == ["index.json", "manifest.json"])
        for entry in files {
            let value = try JSONDecoder().decode(JSONValue.self, from: Data(entry.bytes))
            #expect(entry.bytes == (try deterministicJSON(value)), "\(entry.path)")
        }
    }

    @Test(arguments: [ForeignLayers.none, .all])
    func `the head of a journal is one line that the encoder would make`(foreignLayers: ForeignLayers) throws {
        var builder = ImageBuilder(seed: 1)
        let foreign = try builder.foreignLayer()
        let image = try builder.image(layers: [foreign, builder.layer()])
        let names = NamedImages([("r.test/a:1", image)])
        let plan = try LayoutPlan(
            images: names.layoutImages,
            documents: try names.documents,
            foreignLayers: foreignLayers
        )
        let requests =
            Self.texts.map { LayoutRequest(reference: $0, digest: nil) }
            + [LayoutRequest(reference: "r.test/a:1", digest: image.digest)]
        let bytes = try JournalRecord(requests: requests, plan: plan).encoded()
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 2)
        let head = try JSONDecoder().decode(JSONValue.self, from: Data(lines[1]))
        #expect(Array(lines[1]) == (try deterministicJSON(head)))
        let isTaken = foreignLayers == .all
        #expect(head["foreignLayers"] == (isTaken ? .array([.string(foreign.digest.description)]) : nil))
        #expect(head["imageCount"] == .integer(1))
        #expect(head["indexByteCount"] == .integer(Int64(plan.indexBytes.count)))
        guard case .array(let found) = head["requests"] else { throw DocumentError(.unreadable(reason: "no requests")) }
        #expect(found.map { $0["reference"]?.text } == requests.map(\.reference))
        #expect(found.map { $0["digest"]?.text } == requests.map { $0.digest?.description })
    }
}
