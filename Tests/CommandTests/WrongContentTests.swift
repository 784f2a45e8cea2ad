import OCI
import TestSupport
import Testing

/// A registry that serves what it should not.
@Suite struct WrongContentTests {
    /// What a registry does with a layer, and what is said of that.
    enum Fault: String, CaseIterable {
        case otherBytes
        case fewerBytes
        case moreBytes
        case moreBytesWithoutLength
        case fewerBytesWithoutLength
        case cutOff
        case none

        func answer(_ bytes: [UInt8]) -> Answer {
            switch self {
            case .otherBytes: Answer(body: [bytes[0] ^ 1] + bytes.dropFirst())
            case .fewerBytes: Answer(body: bytes.dropLast())
            case .moreBytes: Answer(body: bytes + [0])
            case .moreBytesWithoutLength: Answer(body: bytes + [0], transfer: .chunked)
            case .fewerBytesWithoutLength: Answer(body: bytes.dropLast(), transfer: .chunked)
            case .cutOff: Answer(body: bytes, transfer: .truncated(after: bytes.count / 2))
            case .none: .error(404, "BLOB_UNKNOWN", "gone")
            }
        }

        func cause(_ bytes: [UInt8], _ url: String) throws -> String {
            switch self {
            case .otherBytes: "the digest must be \(try Digest.of(bytes)), but is \(try Digest.of(answer(bytes).body))"
            case .fewerBytes, .fewerBytesWithoutLength: "\(bytes.count) bytes were expected, \(bytes.count - 1) came"
            case .moreBytes, .moreBytesWithoutLength: "\(bytes.count) bytes were expected, \(bytes.count + 1) came"
            case .cutOff: "GET \(url): the connection was lost"
            case .none: "GET \(url) answered 404: not found (BLOB_UNKNOWN: gone)"
            }
        }

        var status: Int32 {
            switch self {
            case .cutOff, .none: 1
            default: 3
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func `wrong bytes of a layer end the run and name the layer, and nothing of them is kept`(fault: Fault) async throws
    {
        let terminal = try Terminal()
        var builder = ImageBuilder(seed: 250)
        let layer = try builder.opaqueLayer(byteCount: 100)
        let bytes = try layer.bytes
        let repaired = Flag()
        let source = try Source { request in
            !repaired.isSet && request.path.hasSuffix("/blobs/\(layer.digest)") ? fault.answer(bytes) : nil
        }
        let image = try builder.image(layers: [layer])
        let config = try #require(image.config)
        let name = try source.add(image, "app")
        // The smallest blob comes last.
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar", "-j", "1")
        #expect(outcome.status == fault.status)
        #expect(outcome.outputText == "")
        let url = "http://\(source.address)/v2/app/blobs/\(layer.digest)"
        var lines = outcome.errorText.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(lines)")
        #expect(lines.removeFirst() == "2 blobs, \(ByteText.size(config.descriptor.size + 100)) to go")
        #expect(
            lines.first == "what has been fetched is kept in bundle.tar.partial; the same command goes on from there"
        )
        #expect(lines[1].hasPrefix("error: fetching the blob \(source.address)/app@\(layer.digest): "), "\(lines)")
        #expect(lines[1].hasSuffix("; needed by \(name)"), "\(lines)")
        #expect(try lines[1].contains(fault.cause(bytes, url)), "\(lines)")
        #expect(lines.last == "bundle failed: 1 failure")
        #expect(try terminal.scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
        // The config is kept, and of the layer no more than may be right.
        repaired.set(true)
        let whole = try await terminal.drayage("bundle", name, "-o", "bundle.tar", "--json")
        let kept = try #require(try ReportDocument(whole.output).totals?.keptByteCount)
        let limit = Int64(fault == .cutOff ? bytes.count / 2 : 0)
        #expect((config.descriptor.size...config.descriptor.size + limit).contains(kept))
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `wrong bytes of a manifest end with 3`() async throws {
        let terminal = try Terminal()
        var builder = ImageBuilder(seed: 251)
        let (wanted, given) = (try builder.image(), try builder.image())
        let source = try Source { request in
            request.path.contains("/manifests/")
                ? Answer(headers: [("Content-Type", "\(given.top.mediaType)")], body: given.document.bytes) : nil
        }
        let name = "\(source.address)/app@\(wanted.digest)"
        let outcome = try await terminal.drayage("bundle", name, "-o", "bundle.tar")
        expect(
            outcome,
            status: 3,
            errors: """
                error: fetching the manifest of \(name): GET http://\(source.address)/v2/app/manifests/\(wanted.digest) \
                answered 200: the digest must be \(wanted.digest), but is \(given.digest)
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `a manifest over four mebibytes and an index too deep are refused`() async throws {
        let (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 252)
        let long = try source.add(builder.image(annotations: ["a": String(repeating: "x", count: 4 << 20)]), "long")
        let deep = try source.add(builder.nestedIndex(levels: 9), "deep")
        let outcome = try await terminal.drayage("bundle", long, deep, "-o", "bundle.tar")
        expect(
            outcome,
            status: 1,
            errors: """
                error: fetching the manifest of \(long): GET http://\(source.address)/v2/long/manifests/1 answered 200: \
                the manifest has 4194305 bytes; at most 4194304 are accepted
                error: resolving \(deep): its indexes are nested more than 8 deep
                bundle failed: 2 failures

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `an index with more than ten thousand children is refused`() async throws {
        let child =
            #"{"mediaType":"\#(MediaType.ociManifest)","digest":"sha256:\#(String(repeating: "0", count: 64))","size":2}"#
        let text =
            #"{"schemaVersion":2,"manifests":[\#(Array(repeating: child, count: 10_001).joined(separator: ","))]}"#
        let source = try Source { _ in .text(text, type: MediaType.ociIndex.rawValue) }
        let terminal = try Terminal()
        expect(
            try await terminal.drayage("bundle", "\(source.address)/app:1", "-o", "bundle.tar"),
            status: 1,
            errors: """
                error: fetching the manifest of \(source.address)/app:1: \
                GET http://\(source.address)/v2/app/manifests/1 answered 200: \
                the image has 10001 manifests; at most 10000 are accepted
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }
}
