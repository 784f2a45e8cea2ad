import Logging
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// What a registry says besides: its name for the request, and what it warns of.
@Suite struct AnswerRemarkTests {
    private static let evil = "\u{9b}2J\u{202e}"

    private func message(_ headers: [(name: String, value: String)]) async throws -> String {
        let registry = try ScriptedRegistry { _ in Answer(418, headers: headers) }
        let error = try await clientFailure(.withoutRetries) { try await $0.tags(of: registry.repository()) }
        return error.description
    }

    @Test(arguments: [
        ([("X-Request-Id", "one"), ("Docker-Request-Id", "two")], "; request id one"),
        ([("X-GitHub-Request-Id", "four"), ("x-amzn-requestid", "three")], "; request id three"),
        ([("Docker-Request-Id", ""), ("X-GitHub-Request-Id", "A:B")], "; request id A:B"),
        (
            [("Warning", #"299 - "The token \"a\" ends soon.""#), ("X-Request-Id", "x")],
            #"; the registry warns: The token "a" ends soon.; request id x"#
        ),
        (
            [
                ("Warning", #"299 - "one""#), ("Warning", #"299 registry.site "two" "Mon""#),
                ("Warning", "110 - \"no\""),
            ],
            "; the registry warns: one; the registry warns: two"
        ),
        (
            [("Warning", #"299 - "one, \", and", 110 - "no",299 - "two" "Mon, 1", 299 - "#)],
            #"; the registry warns: one, ", and; the registry warns: two"#
        ),
    ])
    func `errors end with it`(headers: [(String, String)], end: String) async throws {
        let text = try await message(headers.map { (name: $0.0, value: $0.1) })
        #expect(text.hasSuffix(end), "\(text)")
    }

    @Test(arguments: ["299", "299 -", "299 - text", "299 - \"\"", "2990 - \"a\"", "\"a\"", "199 - \"a\""])
    func `what is no such warning is passed over`(value: String) async throws {
        #expect(try await !message([(name: "Warning", value: value)]).contains("warns"))
    }

    @Test func `it is escaped and bounded`() async throws {
        let long = String(repeating: "w", count: 5000)
        let warnings = (0..<50).map { (name: "Warning", value: "299 - \"\($0)\(long)\"") }
        let text = try await message(warnings + [(name: "X-Request-Id", value: "a" + long)])
        #expect(text.utf8.count < 3000)
        #expect(text.contains("ww…"))
        for value in ["299 - \"\(Self.evil)\"", "299 - \"open\(Self.evil)"] {
            let text = try await message([(name: "Warning", value: value), (name: "X-Request-Id", value: Self.evil)])
            #expect(text.contains(#"2J\u{202E}"#), "\(text.debugDescription)")
            #expect(text.unicodeScalars.allSatisfy { $0.isASCII }, "\(text.debugDescription)")
        }
    }

    // MARK: - The log

    @Test func `each request is a line with its status, its bytes, its time and its id, and no query`() async throws {
        let content = RegistryContent()
        let issuer = TokenIssuer()
        let blob = try TestBlob.random(5000)
        try content.add(blob, repository: "app")
        let registry = try ScriptedRegistry { issuer.guarding(content.answer)($0).with("X-Request-Id", "id-1") }
        let (log, repository, sent) = (Log(), try registry.repository(), try TestBlob.random(3000))
        let file = try OpenBlob(sent)
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.logger = log.logger
        try await withClient(configuration) { client in
            try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in }
            try await client.putBlob(sent.descriptor, to: repository, from: file.range) { _ in }
        }
        let lines = log.texts(.debug)
        #expect(lines.count == registry.requests.count)
        let base = "http://\(registry.address)"
        let fetch = try Regex(
            "GET \(base)/v2/app/blobs/\(blob.digest) 200, received 5000 bytes, [0-9]+ ms, request id id-1"
        )
        #expect(lines.contains { $0.wholeMatch(of: fetch) != nil }, "\(lines)")
        #expect(
            lines.contains { $0.hasPrefix("PUT ") && $0.contains(" 201, sent 3000 bytes, received 0 bytes, ") },
            "\(lines)"
        )
        #expect(lines.contains { $0.hasPrefix("GET \(base)/token 200, received ") }, "\(lines)")
        #expect(!lines.contains { $0.contains("?") })
        for line in lines { #expect(TestSecrets.found(in: Array(line.utf8)) == []) }
    }

    @Test func `each warning of a host is told once`() async throws {
        let registries = try (0..<2).map { _ in
            try ScriptedRegistry { request in
                let number = request.path.contains("other") ? 2 : 1
                return Answer(404).with("Warning", "299 - \"number \(number)\(Self.evil)\"")
            }
        }
        let log = Log()
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.logger = log.logger
        try await withClient(configuration) { client in
            for registry in registries {
                for path in ["app", "app", "other", "other"] {
                    _ = try? await client.tags(of: registry.repository(path))
                }
            }
        }
        let shown = #"\u{009B}2J\u{202E}"#
        let expected = registries.flatMap { registry in
            (1...2).map { "\(registry.address) warns: number \($0)\(shown)" }
        }
        #expect(log.texts(.warning) == expected)
    }
}
