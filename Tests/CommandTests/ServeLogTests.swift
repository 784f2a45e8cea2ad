import Foundation
import OCI
import TestSupport
import Testing

/// The access log: a line a request, which nobody outside can forge, and without secrets.
@Suite struct ServeLogTests {
    private let terminal: Terminal
    private let blob = RandomBytes.make(count: 1234, seed: 720)

    init() throws {
        terminal = try Terminal()
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
    }

    private let line =
        #/
        time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\ level=info\ event=request
        \ remote=127\.0\.0\.1:[0-9]+\ (?<what>.*)\ milliseconds=[0-9]+(?<rest>.*)
        /#

    /// What a server's log says of each request, without times.
    private func entries(_ server: ServeProcess) throws -> [String] {
        try server.log.split(separator: "\n").filter { !$0.hasPrefix("closing: ") }.map { text in
            let match = try #require(text.wholeMatch(of: line), "\(text)")
            return String(match.what + match.rest)
        }
    }

    @Test func `each request is a line of fields, in its order`() throws {
        let server = try ServeProcess(terminal, ["registry"])
        let digest = try Digest.of(blob)
        let client = try ServeClient(server.address)
        _ = try client.ask("POST", "/v2/app/blobs/uploads/?digest=\(digest)", body: blob[...])
        _ = try client.ask("GET", "/v2/app/blobs/\(digest)", headers: ["User-Agent": "test/1.0 (loopback)"])
        _ = try client.ask("HEAD", "/v2/app/blobs/\(digest)")
        _ = try client.ask("GET", "/v2/app/manifests/none?ns=docker.io")
        _ = try client.ask("GET", "/healthz")
        #expect(server.end() == 0)
        let entries = try entries(server)
        #expect(entries.count == 5)
        #expect(entries[0] == "method=POST path=/v2/app/blobs/uploads/ status=201 bytes=0")
        #expect(
            entries[1] == "method=GET path=/v2/app/blobs/\(digest) status=200 bytes=1234 agent=\"test/1.0 (loopback)\""
        )
        #expect(entries[2] == "method=HEAD path=/v2/app/blobs/\(digest) status=200 bytes=0")
        #expect(entries[3].hasPrefix("method=GET path=/v2/app/manifests/none status=404 bytes="), "\(entries[3])")
        #expect(entries[3].hasSuffix(" ns=docker.io"))
        #expect(entries[4] == "method=GET path=/healthz status=200 bytes=0")
    }

    /// What a client may try, so that a log says what did not happen, or a terminal does what it should not.
    @Test(arguments: [
        #"evil" status=200 user="root"#, #"back\slash\" status=200"#, "a=b c=d", "tab\tand \u{85} and \u{202e}turned",
        "caf\u{e9} \u{1f600}",
    ])
    func `what a client says of itself is quoted`(agent: String) throws {
        let server = try ServeProcess(terminal, ["registry"])
        let answer = try server.ask("GET", "/v2/", headers: ["User-Agent": agent])
        #expect(server.end() == 0)
        let entries = try entries(server)
        #expect(entries.count == 1)
        let entry = try #require(entries.first)
        #expect(entry.hasPrefix("method=GET path=/v2/ status=\(answer.status) bytes="), "\(entry)")
        let said = try #require(entry.firstMatch(of: #/\ agent="(?<said>(?:[^"\\]|\\.)*)"$/#), "\(entry)").said
        #expect(said.count >= agent.count)
        #expect(server.log.unicodeScalars.allSatisfy { $0 == "\n" || ($0.value >= 32 && $0.value != 0x85) })
        #expect(!server.log.unicodeScalars.contains("\u{202e}"))
    }

    @Test func `a path that is no text stays one line`() throws {
        let server = try ServeProcess(terminal, ["registry"])
        let targets = [
            "/v2/%0atime=now%20status=200/tags/list", "/v2/%1b[31mred/tags/list", "/v2/\"quoted\"/tags/list",
            "/v2/%00/%ff%fe/tags/list", "/" + String(repeating: "x", count: 5000),
        ]
        for target in targets { #expect(try server.ask("GET", target).status >= 400, "\(target)") }
        #expect(server.end() == 0)
        #expect(try entries(server).count == targets.count, "\(server.log)")
        #expect(server.log.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 32 })
        #expect(server.log.split(separator: "\n").allSatisfy { $0.utf8.count < 2000 })
    }

    @Test func `a user is named, and no secret is, right or wrong`() throws {
        let users = try Command("htpasswd", ["-nbB", "-C", "4", "ship", "Pa55-of-ship"]).check()
        try terminal.scratch.write(users.output, to: "users")
        let server = try ServeProcess(terminal, ["registry", "--htpasswd", "users", "-v"])
        func basic(_ text: String) -> [String: String] {
            ["Authorization": "Basic \(Data(text.utf8).base64EncodedString())"]
        }
        let tries = [
            (basic("ship:Pa55-of-ship"), 200), (basic("ship:Wr0ng-of-ship"), 401), (basic("S3cret-as-name:x"), 401),
            (["Authorization": "Bearer T0ken-of-ship"], 401), (["Authorization": "Basic !Garbage!"], 401),
            (["Cookie": "C00kie-of-ship"], 401),
        ]
        for secret in ["Pa55-of-ship", "Wr0ng-of-ship", "S3cret-as-name", "T0ken-of-ship", "C00kie-of-ship"] {
            TestSecrets.remember(secret)
        }
        let client = try ServeClient(server.address)
        for (headers, status) in tries { #expect(try client.ask("GET", "/v2/", headers: headers).status == status) }
        // In a query, where it does not belong.
        #expect(try client.ask("GET", "/v2/?account=ship&password=Qu3ry-of-ship").status == 401)
        #expect(server.end() == 0)
        #expect(server.requests.count == 7)
        #expect(server.requests[0].contains(" user=ship method=GET path=/v2/ status=200 "), "\(server.requests[0])")
        #expect(server.requests.dropFirst().allSatisfy { !$0.contains(" user=") })
        let secrets = ["Pa55", "Wr0ng", "S3cret", "T0ken", "Garbage", "C00kie", "Qu3ry", "$2y$"]
        for secret in secrets { #expect(!server.log.contains(secret), "\(secret)") }
        for (headers, _) in tries {
            let value = headers["Authorization"]?.split(separator: " ").last ?? "-none-"
            #expect(!server.log.contains(value))
        }
    }

    @Test func `a request whose client goes is a line without a status`() async throws {
        let server = try ServeProcess(terminal, ["registry"])
        do {
            let client = try ServeClient(server.address)
            try client.send(head: "POST", "/v2/app/blobs/uploads/?digest=\(Digest.of(blob))", byteCount: 5000)
            try client.send(blob[...])
        }
        try await until { !server.requests.isEmpty }
        #expect(server.end() == 0)
        #expect(server.requests.count == 1)
        #expect(server.requests[0].contains(" path=/v2/app/blobs/uploads/ status=0 "), "\(server.requests[0])")
        #expect(server.requests[0].contains(" cause="), "\(server.requests[0])")
    }
}
