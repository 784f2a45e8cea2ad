import OCI
import RegistryClient
import TestSupport
import Testing

/// Answers with a status that is an error.
@Suite struct RefusalTests {
    private func refusal(_ answer: Answer) async throws -> RegistryError {
        let registry = try ScriptedRegistry { _ in answer }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.fetchManifest(.tag(.latest), in: repository) }
        #expect(error.subject == "\(repository):latest")
        #expect(error.request == "GET http://\(registry.address)/v2/app/manifests/latest")
        #expect(error.status == answer.status)
        #expect(error.description.contains("\(repository):latest"))
        #expect(error.description.contains("answered \(answer.status)"))
        return error
    }

    @Test(arguments: [
        (401, RegistryError.Code.unauthorized), (403, .denied), (404, .notFound), (405, .unexpectedStatus),
        (416, .unexpectedStatus), (429, .unexpectedStatus), (500, .unexpectedStatus), (503, .unexpectedStatus),
        // No error, but no answer to the question either.
        (204, .unexpectedStatus), (206, .unexpectedStatus), (304, .unexpectedStatus),
    ])
    func `a status is told by its kind`(status: Int, code: RegistryError.Code) async throws {
        let error = try await refusal(Answer(status))
        #expect(error.code == code)
        #expect(error.registryMessages.isEmpty)
    }

    /// A body and its type, with what is told of it.
    @Test(arguments: [
        (
            #"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#, "application/json",
            ["MANIFEST_UNKNOWN: manifest unknown"]
        ),
        // All that there are, but not without end.
        (#"{"errors":[{"code":"A"},{"message":"b"}]}"#, "application/json", ["A", "b"]),
        (
            #"{"errors":[{"code":"1"},{"code":"2"},{"code":"3"},{"code":"4"},{"code":"5"},{"code":"6"}]}"#,
            "application/json", ["1", "2", "3", "4", "5"]
        ),
        // The detail may be anything.
        (#"{"errors":[{"code":"A","message":"b","detail":{"x":[1]}}]}"#, "application/json", ["A: b"]),
        // Token servers and proxies have their own fields.
        (#"{"details":"incorrect username or password"}"#, "application/json", ["incorrect username or password"]),
        (#"{"message":"Forbidden"}"#, "application/json", ["Forbidden"]),
        // The type does not matter where it is JSON.
        (#"{"errors":[{"code":"A"}]}"#, "text/plain", ["A"]),
        // Anything else is told by its first line.
        ("slow down\nplease", "text/plain", ["slow down"]),
        (#"{"errors":"no list"}"#, "application/json", [#"{"errors":"no list"}"#]),
        ("<html><body>Sign in</body></html>", "text/html; charset=utf-8", ["an HTML page, so perhaps not a registry"]),
        ("", "application/json", []),
        (#"{"errors":[{}]}"#, "application/json", [#"{"errors":[{}]}"#]),
    ])
    func `what the registry says is told`(body: String, type: String, messages: [String]) async throws {
        for status in [404, 500] {
            let error = try await refusal(.text(body, status: status, type: type))
            #expect(error.registryMessages == messages)
            for message in messages { #expect(error.description.contains(message)) }
        }
    }

    @Test func `control characters of a registry come out escaped`() async throws {
        let body = #"{"errors":[{"code":"A","message":"\u001b[2Jred\r\nforged line\u202e"}]}"#
        let error = try await refusal(.text(body, status: 500))
        #expect(!error.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(!error.description.unicodeScalars.contains("\u{202e}"))
        #expect(error.description.contains(#"\u{1B}[2Jred\r\nforged line\u{202E}"#), "\(error.description)")
        let plain = try await refusal(.text("\u{1b}[31mred\u{7}", status: 500, type: "text/plain"))
        #expect(!plain.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
    }

    @Test func `a long message is cut`() async throws {
        let error = try await refusal(.error(500, "A", String(repeating: "x", count: 10_000)))
        #expect(error.registryMessages == ["A: " + String(repeating: "x", count: 297) + "…"])
    }

    /// Of a body that does not end within 64 KiB, the rest is not waited for.
    @Test(arguments: [Answer.Transfer.whole, .chunked, .stalled(after: 128 << 10), .untilClose])
    func `no more than 64 KiB of an error are read`(transfer: Answer.Transfer) async throws {
        let body = Array("oh no\n".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20)
        let error = try await refusal(
            Answer(500, headers: [("Content-Type", "text/plain")], body: body, transfer: transfer)
        )
        #expect(error.code == .unexpectedStatus)
        #expect(error.registryMessages == ["oh no"])
    }

    @Test func `of an error instead of a blob nothing reaches the sink`() async throws {
        let registry = try ScriptedRegistry { _ in .error(404, "BLOB_UNKNOWN", "blob unknown") }
        let repository = try registry.repository()
        let blob = try TestBlob.random(1000)
        let received = Received()
        let error = try await clientFailure {
            try await $0.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        #expect(error.code == .notFound)
        #expect(error.operation == "fetching the blob")
        #expect(error.subject == "\(repository)@\(blob.digest)")
        #expect(error.registryMessages == ["BLOB_UNKNOWN: blob unknown"])
        #expect(received.bytes.isEmpty)
    }
}
