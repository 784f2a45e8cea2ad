import Foundation
import RegistryDirectory
import RegistryServer
import TestSupport
import Testing

/// Who may do what.
@Suite struct AccessTests {
    /// What a client sends along, and whether it is the user.
    private static let credentials: [(headers: [(name: String, value: String)], isUser: Bool, isWrong: Bool)] = [
        ([PasswordFile.header("me", "secret")], true, false),
        ([], false, false),
        // What containers/image sends for nobody.
        ([("Authorization", "Basic Og==")], false, false),
        // What no user can be read from is nobody.
        ([("Authorization", "Bearer abc")], false, false), ([("Authorization", "Basic !")], false, false),
        ([PasswordFile.header("me", "wrong")], false, true), ([PasswordFile.header("you", "secret")], false, true),
        ([PasswordFile.header("me", "")], false, true), ([PasswordFile.header("", "secret")], false, true),
    ]

    /// Anonymous reading and writing in all combinations; where there are users, writing is theirs whatever is said.
    @Test(arguments: [false, true], [false, true])
    func `a password is asked for where it is needed`(reading: Bool, writing: Bool) async throws {
        let passwords = try PasswordFile()
        let settings = RegistryServer.Configuration.with { configuration in
            configuration.passwordFile = passwords.path
            configuration.allowsAnonymousReading = reading
            configuration.allowsAnonymousWriting = writing
        }
        let (bytes, digest) = try content(100)
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { _ = try await $0.push(bytes) }
        try await withServer(on: scratch.path, settings) { server in
            let reads = [
                "/v2/app/blobs/\(digest)", "/v2/app/tags/list", "/v2/_catalog", "/v2/app/referrers/\(digest)",
                "/v2/nowhere/tags/list",
            ]
            let writes = [
                ("POST", "/v2/app/blobs/uploads/"), ("PUT", "/v2/app/manifests/latest"),
                ("DELETE", "/v2/app/manifests/latest"), ("DELETE", "/v2/other/blobs/\(digest)"),
                ("GET", "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000"),
            ]
            for (headers, isUser, isWrong) in Self.credentials {
                for path in reads {
                    let answer = try await server.ask("GET", path, headers: headers)
                    let isAllowed = isUser || (reading && !isWrong)
                    #expect((answer.status != 401) == isAllowed, "\(path) \(headers)")
                    if !isAllowed { expectChallenge(answer) }
                }
                for (method, path) in writes {
                    let answer = try await server.ask(method, path, headers: headers)
                    #expect((answer.status != 401) == isUser, "\(method) \(path) \(headers)")
                    if !isUser { expectChallenge(answer) }
                }
                // Here clients learn that there are users.
                let base = try await server.ask("GET", "/v2/", headers: headers)
                #expect(base.status == (isUser ? 200 : 401))
                if !isUser { expectChallenge(base) }
                for path in ["/healthz"] { #expect(try await server.ask("GET", path, headers: headers).status == 200) }
            }
            #expect(try server.storage.layerLinks(repository: "app") == [digest])
        }
    }

    private func expectChallenge(_ answer: HTTPAnswer, _ location: SourceLocation = #_sourceLocation) {
        expect(answer, 401, "UNAUTHORIZED", nil, location)
        #expect(
            answer.headers("WWW-Authenticate") == [#"Basic realm="drayage", charset="UTF-8""#],
            sourceLocation: location
        )
    }

    /// What is not there is not told to who may not know.
    @Test func `a path that is none is no secret, and one that is asks first`() async throws {
        let passwords = try PasswordFile()
        try await withServer(.with { $0.passwordFile = passwords.path }) { server in
            expect(try await server.ask("GET", "/nowhere"), 404, "UNSUPPORTED")
            expect(try await server.ask("GET", "/v2/App/tags/list"), 400, "NAME_INVALID")
            expectChallenge(try await server.ask("GET", "/v2/app/manifests/none"))
            expectChallenge(try await server.ask("GET", "/v2/app/blobs/sha256:abc"))
        }
    }

    @Test func `users and passwords stay out of the log, but for who did it`() async throws {
        let passwords = try PasswordFile()
        try await withServer(.with { $0.passwordFile = passwords.path }) { server in
            let headers = [PasswordFile.header("me", "secret"), (name: "User-Agent", value: "test/1 \u{202e}x")]
            _ = try await server.ask("GET", "/v2/_catalog?n=1", headers: headers)
            _ = try await server.ask("GET", "/v2/", headers: [PasswordFile.header("me", "hunter2")])
            let good = try await server.log.entry { $0.metadata["status"] == "200" }
            #expect(good.metadata["user"] == "me")
            #expect(good.metadata["method"] == "GET" && good.metadata["path"] == "/v2/_catalog")
            #expect(good.metadata["remote"]?.hasPrefix("127.0.0.1:") == true)
            #expect(good.metadata["agent"]?.contains("\u{202e}") == false)
            #expect(good.metadata["agent"]?.hasPrefix("test/1 ") == true)
            let bad = try await server.log.entry { $0.metadata["status"] == "401" }
            #expect(bad.metadata["user"] == nil)
            let text = "\(server.log.entries)"
            #expect(!text.contains("secret") && !text.contains("hunter2") && !text.contains("Basic"))
        }
    }

    /// Who can be reached from elsewhere takes nothing from nobody, unless told to.
    @Test(arguments: [("0.0.0.0", false), ("0.0.0.0", true), ("127.0.0.1", false), ("localhost", false)])
    func `without users an address beyond loopback is for reading`(host: String, allowed: Bool) async throws {
        let (bytes, digest) = try content(100)
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { _ = try await $0.push(bytes) }
        let settings = RegistryServer.Configuration.with { configuration in
            configuration.host = host
            configuration.allowsAnonymousWriting = allowed
        }
        try await withServer(on: scratch.path, settings) { server in
            #expect(server.address == (host == "localhost" ? "127.0.0.1" : host) + ":\(server.server.port)")
            #expect(try await server.ask("GET", "/v2/").status == 200)
            #expect(try await server.ask("GET", "/v2/app/blobs/\(digest)").body == bytes)
            let isOpen = allowed || host != "0.0.0.0"
            for (method, path) in [("POST", "/v2/app/blobs/uploads/"), ("DELETE", "/v2/app/blobs/\(digest)")] {
                let answer = try await server.ask(method, path)
                guard !isOpen else {
                    #expect(answer.status == 202)
                    continue
                }
                expect(answer, 403, "DENIED")
                #expect(answer.errorMessage?.contains("--allow-anonymous-write") == true)
            }
        }
    }

    @Test func `a file of users that is none stops the server before it listens`() async throws {
        let scratch = try ScratchDirectory()
        try scratch.write("me:{SHA}abc\n", to: "htpasswd")
        for path in [scratch.path("htpasswd"), scratch.path("missing")] {
            let error = await #expect(throws: (any Error).self) {
                try await withServer(.with { $0.passwordFile = path }) { _ in Issue.record("it listens") }
            }
            #expect("\(try #require(error))".contains(path))
        }
    }
}
