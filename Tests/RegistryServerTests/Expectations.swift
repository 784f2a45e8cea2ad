import OCI
import TestSupport
import Testing

/// The specification's form of an error.
private struct ErrorList: Decodable {
    struct Entry: Decodable {
        let code: String
        let message: String
    }
    let errors: [Entry]
}

extension HTTPAnswer {
    /// The message of the one error in the body; nil where the body has another form.
    var errorMessage: String? { errorEntry?.message }

    private var errorEntry: ErrorList.Entry? {
        guard header("Content-Type") == "application/json", let list = try? json(as: ErrorList.self) else { return nil }
        return list.errors.count == 1 ? list.errors[0] : nil
    }

    fileprivate var errorCode: String? { errorEntry?.code }
}

/// Expects an error in the specification's form.
func expect(
    _ answer: HTTPAnswer,
    _ status: Int,
    _ code: String,
    _ comment: Comment? = nil,
    _ location: SourceLocation = #_sourceLocation
) {
    #expect(answer.status == status, comment, sourceLocation: location)
    #expect(answer.errorCode == code, comment, sourceLocation: location)
    #expect(answer.errorMessage?.isEmpty == false, comment, sourceLocation: location)
    #expect(answer.headers("Content-Type") == ["application/json"], comment, sourceLocation: location)
}

/// Expects bytes to be the same, and says where they are not: to find out all that differs would take hours.
func expectEqual(_ actual: [UInt8], _ expected: [UInt8], _ location: SourceLocation = #_sourceLocation) {
    guard actual != expected else { return }
    let same = zip(actual, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    Issue.record(
        "\(actual.count) bytes, not \(expected.count); the first difference at \(same.map(String.init) ?? "the end")",
        sourceLocation: location
    )
}

/// Expects a server to be well: it takes a blob and gives it back.
func expectAlive(_ server: TestServer, _ location: SourceLocation = #_sourceLocation) async throws {
    let bytes = RandomBytes.make(count: 1000, seed: .random(in: 0 ... .max))
    let digest = try await server.push(bytes, to: "alive")
    let answer = try await server.ask("GET", "/v2/alive/blobs/\(digest)")
    #expect(answer.status == 200 && answer.body == bytes, sourceLocation: location)
}

/// Random bytes with their digest.
func content(_ byteCount: Int, seed: UInt64 = 1, _ algorithm: Digest.Algorithm = .sha256) throws -> (
    bytes: [UInt8], digest: Digest
) {
    let bytes = RandomBytes.make(count: byteCount, seed: seed)
    return (bytes, try Digest.of(bytes, algorithm: algorithm))
}
