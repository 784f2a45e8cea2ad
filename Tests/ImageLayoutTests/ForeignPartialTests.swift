import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Files that no run of ours left like this.
@Suite struct ForeignPartialTests {
    private let run: KilledRun

    init() throws { run = try KilledRun() }

    // MARK: - No journal, or another

    @Test func `a file without a journal is refused`() throws {
        unlink(run.bundle.journalPath)
        try run.expectRefusal("there is no journal beside it")
    }

    @Test func `a file with the journal of another bundle is refused`() throws {
        let other = try InterruptedBundle(InterruptedBundle.images(seed: 9, largest: 9001), in: run.scratch.path)
        unlink(run.bundle.partialPath)
        try other.kill()
        var mixed = try other.saved()
        mixed.partial = run.pair.partial
        // Neither before the other bundle had been laid out, nor after, in whatever boot.
        for phase in [LayoutJournal.Phase.begun, .synced] {
            try mixed.set(phase)
            try run.bundle.restore(mixed)
            try run.expectRefusal("it is not the file that its journal describes")
        }
    }

    @Test func `a file of the right size with other content is refused`() throws {
        for fill in [0, 0xff] as [UInt8] {
            var other = run.pair
            other.partial = [UInt8](repeating: fill, count: run.pair.partial.count)
            try run.bundle.restore(other)
            try run.expectRefusal("it is not the file that its journal describes")
        }
        // Each header and each document counts.
        for (offset, bytes) in try run.bundle.plan.skeleton {
            var other = run.pair
            other.partial[Int(offset) + bytes.count / 2] ^= 1
            try run.bundle.restore(other)
            try run.expectRefusal("it is not the file that its journal describes", "\(offset)")
        }
    }

    @Test func `a file that is shorter than its journal says is refused`() throws {
        let third = run.bundle.plan.blobs[2]
        let ends = [1, Int(third.offset), Int(third.offset + third.descriptor.size) - 1, run.pair.partial.count / 2]
        for end in ends {
            var other = run.pair
            other.partial.removeSubrange(end...)
            try run.bundle.restore(other)
            try run.expectRefusal(nil, "\(end)")
        }
    }

    @Test func `a last blob that was run.whole and is shorter now is refused`() throws {
        let last = try #require(run.bundle.plan.blobs.last)
        unlink(run.bundle.partialPath)
        try run.bundle.kill { writer in
            try KilledRun.write(last, of: run.bundle, writer)
            try writer.checkpoint()
        }
        #expect(truncate(run.bundle.partialPath, Int(last.offset + last.descriptor.size) - 1) == 0)
        try run.expectRefusal("it is shorter than its journal says")
    }

    // MARK: - Something else than a journal

    @Test(arguments: ["link", "dangling", "directory", "pipe"])
    func `something else in the place of the journal is refused and left alone`(what: String) throws {
        unlink(run.bundle.journalPath)
        try run.scratch.write(run.pair.journal, to: "target")
        switch what {
        case "link": #expect(symlink(run.scratch.path("target"), run.bundle.journalPath) == 0)
        case "dangling": #expect(symlink(run.scratch.path("nowhere"), run.bundle.journalPath) == 0)
        case "directory": #expect(mkdir(run.bundle.journalPath, 0o755) == 0)
        default: #expect(mkfifo(run.bundle.journalPath, 0o600) == 0)
        }
        let kind = ["directory": "a directory", "pipe": "a pipe"][what] ?? "a symbolic link"
        try run.expectRefusal("its journal is \(kind)")
        // Nor is it removed in the end, without being asked for.
        unlink(run.bundle.partialPath)
        #expect(try run.bundle.open() == nil)
        let error = try #require(throws: LayoutError.self) { try run.bundle.begin() }
        #expect(error.code == .notRegularFile(kind: kind))
        #expect(error.path == run.bundle.journalPath)
        #expect(try run.scratch.names() == ["bundle.tar.partial.journal", "target"])
        #expect(try run.scratch.read("target") == run.pair.journal)
    }

    @Test func `a journal of a terabyte is refused without being read`() throws {
        let line = try #require(run.pair.journal.firstIndex(of: UInt8(ascii: "\n")))
        let words = String(decoding: run.pair.journal[..<line], as: UTF8.self).split(separator: " ")
        let heads = [
            "", "\(words[0])", "\(words[0]) \(words[1]) \(1 << 40)\n", "\(words[0]) \(words[1]) -1\n",
            "\(words[0]) \(words[1]) \(Int64.max)\n", "\(words[0]) \(words[1]) \(words[2]) 1\n",
            String(repeating: "\(words[0]) ", count: 100),
        ]
        for head in heads.map({ Array($0.utf8) }) + [run.pair.journal] {
            var other = run.pair
            other.journal = head
            try run.bundle.restore(other)
            #expect(truncate(run.bundle.journalPath, 1 << 40) == 0)
            let error = try #require(throws: LayoutError.self) { try run.bundle.open() }
            run.expect(error, "its journal is damaged", nil, #_sourceLocation)
        }
    }

    @Test func `a journal of another version is said to be one`() throws {
        for (version, isOne) in [("v1", true), ("v3", true), ("v20", true), ("v", false), ("\0\0", false)] {
            var pair = run.pair
            pair.journal.replaceSubrange(0..<JournalRecord.magic.utf8.count, with: "drayage.journal.\(version)".utf8)
            try run.bundle.restore(pair)
            try run.expectRefusal(isOne ? "its journal is of another version of drayage" : "its journal is damaged")
        }
    }

    @Test func `a plan that is none is refused, with the right digest too`() throws {
        let documents = run.bundle.plan.documents.map(\.descriptor)
        let descriptor = try #require(documents.first)
        let json = String(decoding: try JSONEncoder().encode(descriptor), as: UTF8.self)
        let huge = json.replacing("\"size\":\(descriptor.size)", with: "\"size\":\(Int64.max)")
        func body(imageCount: Int, index: String, byteCount: Int? = nil, documents: String = "") -> String {
            let counts = #""imageCount":\#(imageCount),"indexByteCount":\#(byteCount ?? index.utf8.count)"#
            return #"{"requests":[],\#(counts),"documents":[\#(documents)]}"# + "\n\(index)"
        }
        func index(_ entries: String) -> String { #"{"schemaVersion":2,"manifests":[\#(entries)]}"# }
        let named = json.dropLast() + #","annotations":{"io.containerd.image.name":"a:1"}}"#
        let bodies = [
            "", "\n", "{}\n", "[]\n", String(repeating: "[", count: 100_000) + "\n",
            body(imageCount: 0, index: index(""), documents: json),
            body(imageCount: 0, index: index(""), documents: huge),
            body(imageCount: 1, index: index(String(named))), body(imageCount: 1, index: index("")),
            body(imageCount: -1, index: index("")), body(imageCount: 0, index: "[]"),
            body(imageCount: 0, index: index(""), byteCount: 40), body(imageCount: 0, index: index(""), byteCount: -1),
            body(imageCount: 0, index: index(""), byteCount: .max),
        ]
        for body in bodies.map({ Array($0.utf8) }) {
            var other = run.pair
            let head = "drayage.journal.v2 \(try Digest.of(body)) \(body.count)\n"
            other.journal = Array(head.utf8) + body
            try run.bundle.restore(other)
            try run.expectRefusal("its journal is damaged")
        }
    }

    @Test(arguments: [
        ("\"io.containerd.image.name\"", "\"io.containerd.image.none\""),
        ("\"imageCount\":3", "\"imageCount\":2"), ("\"imageCount\":3", "\"imageCount\":0"),
        ("\"schemaVersion\":2", "\"schemaVersion\":3"),
    ])
    func `a plan whose index is not understood whole is refused`(old: String, new: String) throws {
        var pair = run.pair
        let line = try #require(pair.journal.firstIndex(of: UInt8(ascii: "\n")))
        let words = String(decoding: pair.journal[..<line], as: UTF8.self).split(separator: " ")
        let plan = (line + 1)..<(line + 1 + (try #require(Int(words[2]))))
        let text = String(decoding: pair.journal[plan], as: UTF8.self)
        // The index alone, which is before the documents.
        let other = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
        try #require(other.count == plan.count && other != Array(text.utf8))
        let head = Array("\(words[0]) \(try Digest.of(other)) \(other.count)\n".utf8)
        pair.journal = head + other + pair.journal[plan.upperBound...]
        try run.bundle.restore(pair)
        try run.expectRefusal("its journal is damaged")
    }

    @Test func `a file that is a link is refused and left alone`() throws {
        #expect(rename(run.bundle.partialPath, run.scratch.path("target")) == 0)
        #expect(symlink(run.scratch.path("target"), run.bundle.partialPath) == 0)
        let before = try run.snapshot()
        let error = try #require(throws: LayoutError.self) { try run.bundle.open() }
        #expect(error.code == .notRegularFile(kind: "a symbolic link"))
        #expect(error.path == run.bundle.partialPath)
        #expect(try run.snapshot() == before)
    }
}
