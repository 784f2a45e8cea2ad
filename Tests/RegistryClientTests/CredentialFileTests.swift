import Foundation
import TestSupport
import Testing

@testable import RegistryClient

/// The files of docker and podman, and how they are searched.
@Suite struct CredentialFileTests {
    private static let path = "/home/me/.docker/config.json"

    private static func auth(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private static func entry(_ key: String, _ text: String = "me:secret") -> String {
        #"{"auths":{"\#(key)":{"auth":"\#(auth(text))"}}}"#
    }

    private static func store(_ texts: String..., log: Log = Log()) throws -> CredentialStore {
        CredentialStore(
            files: try texts.enumerated().map { try CredentialFile.parse(Array($1.utf8), path: "\(path)-\($0)") },
            logger: log.logger
        )
    }

    private static func found(
        in store: CredentialStore,
        _ registry: String,
        _ path: String? = nil
    ) async throws -> String? {
        switch try await store.credentials(for: registry, path: path)?.kind {
        case .password(let username, let password): "\(username):\(password)"
        case .identityToken(let token): "identity \(token)"
        case .registryToken(let token): "registry \(token)"
        case nil: nil
        }
    }

    /// A file, a registry, and the user and password that the file has for it.
    @Test(arguments: [
        (entry("r.example"), "r.example", "me:secret"),
        // A password may have a colon, and docker pads some with zero bytes.
        (entry("r.example", "me:se:cret\0\0"), "r.example", "me:se:cret"),
        // The colon is one, though an accent hides it.
        (entry("r.example", "me:\u{301}secret"), "r.example", "me:\u{301}secret"),
        (entry("r.example", "ken:test"), "r.example", "ken:test"),
        (#"{"auths":{"r.example":{"auth":"a2VuOnRlc3Q=","email":"ken@example.com"}}}"#, "r.example", "ken:test"),
        (#"{"auths":{"r.example":{"username":"me","password":"secret"}}}"#, "r.example", "me:secret"),
        // As docker, which writes the first alone; some write it in lines.
        (#"{"auths":{"r":{"username":"me","auth":"bWU6c2VjcmV0"}}}"#, "r", "me:secret"),
        (#"{"auths":{"r":{"username":"me","password":"old","auth":"bWU6\nc2VjcmV0\n"}}}"#, "r", "me:secret"),
        // A token goes before the password, which is empty beside it.
        (#"{"auths":{"r":{"auth":"bWU6","identitytoken":"abc"}}}"#, "r", "identity abc"),
        (#"{"auths":{"r":{"registrytoken":"abc","identitytoken":"x"}}}"#, "r", "registry abc"),
        (#"{"auths":{"r":{"auth":"bWU6cA==","identitytoken":"","registrytoken":null}}}"#, "r", "me:p"),
        // A port belongs to the name, and so do the brackets of an address.
        (entry("r.example:5000"), "r.example:5000", "me:secret"),
        (entry("r.example:5000"), "r.example", nil),
        (entry("r.example"), "r.example:5000", nil),
        (entry("[::1]:5000"), "[::1]:5000", "me:secret"),
        // Of a URL the host is meant.
        (entry("https://r.example"), "r.example", "me:secret"),
        (entry("https://registry.example.com/v1/"), "registry.example.com", "me:secret"),
        (entry("http://localhost:8000/v1/"), "localhost:8000", "me:secret"),
        (entry("https://r.example:5000/v2/"), "r.example:5000", "me:secret"),
        (entry("r.example/v1/"), "r.example", "me:secret"),
        (entry("r.example/"), "r.example", "me:secret"),
        // Docker Hub has several names.
        (entry("https://index.docker.io/v1/"), "docker.io", "me:secret"),
        (entry("index.docker.io"), "docker.io", "me:secret"),
        (entry("docker.io"), "docker.io", "me:secret"),
        (entry("registry-1.docker.io"), "docker.io", "me:secret"),
        (entry("https://index.docker.io/v1/"), "r.example", nil),
        // A name that only begins or ends the same is another one.
        (entry("r.example.evil"), "r.example", nil),
        (entry("evil-r.example"), "r.example", nil),
        // An entry that cannot be read is none, and does not spoil the others.
        (
            #"{"auths":{"a":{"auth":"%%%"},"b":{"auth":"\#(auth("no colon"))"},"r":{"auth":"\#(auth("u:p"))"}}}"#, "r",
            "u:p"
        ),
        (#"{"auths":{"a":5,"b":null,"c":{"auth":7},"d":[],"r":{"auth":"\#(auth("u:p"))"}}}"#, "r", "u:p"),
        (#"{"auths":{"a":{"auth":"%%%"}}}"#, "a", nil),
        (#"{"auths":{"a":{"identitytoken":"two words"}}}"#, "a", nil),
        (#"{"auths":{"a":{}}}"#, "a", nil),
        // Files without what is looked for, and with much else.
        ("{}", "r.example", nil), ("", "r.example", nil),
        (#"{"credHelpers":{"a":null,"b":5},"credsStore":7,"auths":{"r":{"auth":"bWU6cA=="}}}"#, "r", "me:p"),
        (#"{"credHelpers":{"r":""},"credsStore":"","auths":{"r":{"auth":"bWU6cA=="}}}"#, "r", "me:p"),
        (#"{"auths":{},"HttpHeaders":{"a":"b"}}"#, "r.example", nil),
    ])
    func `the credentials of a registry are found`(text: String, registry: String, expected: String?) async throws {
        #expect(try await Self.found(in: Self.store(text), registry) == expected)
    }

    /// A key of a file, a registry and a path, and whether the key is good for it.
    @Test(
        arguments: [
            ("r.example", "team/app", true), ("r.example/team", "team/app", true),
            ("r.example/team/app", "team/app", true),
            ("r.example/team/", "team/app", true), ("r.example/tea", "team/app", false),
            ("r.example/team/app/more", "team/app", false), ("r.example/app", "team/app", false),
            ("r.example/team", nil, false), ("https://r.example/team/app", "other", true),
        ] as [(String, String?, Bool)]
    )
    func `a key may go on with a path, of which whole parts count`(
        key: String,
        path: String?,
        isGood: Bool
    ) async throws {
        let found = try await Self.found(in: Self.store(Self.entry(key)), "r.example", path)
        #expect(found == (isGood ? "me:secret" : nil))
    }

    @Test func `the longest key counts, in whichever file, and then the first file`() async throws {
        func file(_ entries: [String: String]) -> String {
            let texts = entries.map { #""\#($0)":{"username":"\#($1)","password":"x"}"# }
            return #"{"auths":{\#(texts.joined(separator: ","))}}"#
        }
        let store = try Self.store(
            file(["r": "host-0", "r/a": "a-0"]),
            file(["r": "host-1", "r/a": "a-1", "r/a/b": "b-1", "s": "s-1"])
        )
        for (path, user) in [("a/b", "b-1"), ("a/b/c", "b-1"), ("a/c", "a-0"), ("c", "host-0")] {
            #expect(try await Self.found(in: store, "r", path) == "\(user):x")
        }
        #expect(try await Self.found(in: store, "s", "a/b") == "s-1:x")
    }

    @Test func `what was given goes before every file, the longest key first there too`() async throws {
        let store = CredentialStore(
            given: [
                "r": Credentials(username: "given", password: "x"),
                "r/a": try Credentials(token: "token", source: "stdin"),
                "index.docker.io": Credentials(username: "hub", password: "x"),
            ],
            files: [try CredentialFile.parse(Array(Self.entry("r/a/b").utf8), path: Self.path)],
            logger: Log().logger
        )
        #expect(try await Self.found(in: store, "r", "c") == "given:x")
        #expect(try await Self.found(in: store, "r", "a/b") == "registry token")
        #expect(try await Self.found(in: store, "docker.io", "library/alpine") == "hub:x")
    }

    @Test func `an exact name counts before a URL of the same host`() async throws {
        let text = #"""
            {"auths":{"https://r.example/v1/":{"username":"a","password":"x"},"r.example":{"username":"b","password":"x"}}}
            """#
        #expect(try await Self.found(in: Self.store(text), "r.example") == "b:x")
    }

    /// Entries that cannot be used, and what is said of them.
    @Test(arguments: [
        (#"{"auth":"%%%"}"#, "its auth is not in Base64"),
        (#"{"auth":"bm8gY29sb24="}"#, "its auth is not a user name, a colon and a password in Base64"),
        ("5", "it is not what docker writes there"), (#"{"auth":["s3cret"]}"#, "it is not what docker writes there"),
        (#"{"registrytoken":"two words"}"#, "its token is not one word"),
    ])
    func `an entry that cannot be used is a warning, once, and the next file is asked`(
        entry: String,
        reason: String
    ) async throws {
        let log = Log()
        let store = try Self.store(#"{"auths":{"r":\#(entry),"other":7}}"#, Self.entry("r"), log: log)
        for _ in 0..<2 { #expect(try await Self.found(in: store, "r", "a") == "me:secret") }
        #expect(log.warnings == ["the entry for r in \(Self.path)-0 is passed over: \(reason)"])
    }

    @Test(arguments: ["secret", "[]", #"{"auths":["secret"]}"#, #"{"auths":{"r":{"auth":"c2VjcmV0"}"#])
    func `what is no such file is an error that names it and tells nothing of it`(text: String) throws {
        let error = try #require(throws: CredentialsError.self) {
            try CredentialFile.parse(Array(text.utf8), path: Self.path)
        }
        #expect(error.path == Self.path)
        #expect(
            error.description.contains("/home/me/.docker/config.json: it is not the JSON that docker and podman write")
        )
        #expect(!error.description.contains("secret") && !error.description.contains("c2Vj"))
    }

    /// Docker's first file had no more than the entries, and before that two lines.
    @Test(
        arguments: [
            (#"{"https://index.docker.io/v1/":{"auth":"a2VuOnRlc3Q=","email":"e"},"r":{"auth":"bWU6cA=="}}"#, "me:p"),
            ("auth = a2VuOnRlc3Q=\nemail = ken@example.com\n", nil),
        ] as [(String, String?)]
    )
    func `docker's first file is read`(text: String, other: String?) async throws {
        let file = try CredentialFile.parse(legacy: Array(text.utf8), path: "/home/me/.dockercfg")
        let store = CredentialStore(files: [file], logger: Log().logger)
        #expect(try await Self.found(in: store, "docker.io") == "ken:test")
        #expect(try await Self.found(in: store, "r") == other)
    }

    @Test(arguments: ["", "hello", "auth=x\n", "[]"])
    func `what is neither of its forms is an error`(text: String) {
        #expect(throws: CredentialsError.self) { try CredentialFile.parse(legacy: Array(text.utf8), path: "x") }
    }
}
