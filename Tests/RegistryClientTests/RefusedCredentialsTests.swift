import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryClient

/// Credentials that are refused although others could be had, or are not asked for although they are needed.
@Suite struct RefusedCredentialsTests {
    private let scratch: ScratchDirectory
    private let old = TestSecrets.make("old")
    private let new = TestSecrets.make("new")

    init() throws { scratch = try ScratchDirectory() }

    /// A configuration with a helper that gives one secret after the other, the last again and again.
    private func configuration(_ secrets: String...) throws -> RegistryClient.Configuration {
        try scratch.write(secrets.map { $0 + "\n" }.joined(), to: "secrets")
        let script = #"""
            #!/bin/sh
            echo x >>"$HOME/asked"
            secret=$(sed -n "$(wc -l <"$HOME/asked")p" "$HOME/secrets")
            echo "{\"Username\":\"me\",\"Secret\":\"${secret:-$(tail -n 1 "$HOME/secrets")}\"}"
            """#
        let path = try scratch.write(script, to: "docker-credential-test")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        let store = CredentialStore(
            files: [try CredentialFile.parse(Array(#"{"credsStore":"test"}"#.utf8), path: "config.json")],
            environment: ["PATH": "\(scratch.path):/usr/bin:/bin", "HOME": scratch.path],
            logger: Log().logger
        )
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.credentials = { try await store.credentials(for: $0, path: $1, refused: $2) }
        return configuration
    }

    private var askedCount: Int { get throws { try scratch.read("asked").count / 2 } }

    private func basic(_ secret: String) -> String { "Basic " + Data("me:\(secret)".utf8).base64EncodedString() }

    /// A registry that lets `me` in with the new secret, by it or by a token for it, to the paths that it guards.
    private func registry(
        usesTokens: Bool,
        others: @escaping @Sendable (Request) -> Answer? = { _ in nil }
    ) throws -> ScriptedRegistry {
        let basic = basic(new)
        return try ScriptedRegistry { request in
            let authorization = request.header("Authorization")
            if request.path == "/token" {
                return authorization == basic ? .text(#"{"token":"t"}"#) : .error(401, "UNAUTHORIZED")
            }
            if authorization == (usesTokens ? "Bearer t" : basic) { return .text(#"{"tags":["1"]}"#) }
            if let answer = others(request) { return answer }
            let bearer = "Bearer realm=\"http://\(request.header("Host") ?? "")/token\""
            return .error(401, "UNAUTHORIZED").with("WWW-Authenticate", usesTokens ? bearer : "Basic realm=x")
        }
    }

    @Test(arguments: [false, true])
    func `a helper whose answer is refused is asked again, once for all`(usesTokens: Bool) async throws {
        let registry = try registry(usesTokens: usesTokens)
        try await withClient(configuration(old, new)) { client in
            try await withThrowingTaskGroup { group in
                for number in 0..<10 {
                    let repository = try registry.repository("app-\(number)")
                    group.addTask { try await client.tags(of: repository) }
                }
                for try await tags in group { #expect(tags == ["1"]) }
            }
        }
        #expect(try askedCount == 2)
    }

    @Test(arguments: [false, true])
    func `a helper that has no other answer is not asked without end`(usesTokens: Bool) async throws {
        let registry = try registry(usesTokens: usesTokens)
        try await withClient(configuration(old)) { client in
            for number in 0..<5 {
                let repository = try registry.repository("app-\(number)")
                let error = try await failure { try await client.tags(of: repository) }
                #expect(error.code == .unauthorized)
                #expect(error.description.contains("refuses the credentials from docker-credential-test"), "\(error)")
            }
        }
        #expect(try askedCount == 2)
    }

    // MARK: - Registries that do not ask

    /// A registry that lets nobody in particular see what is below `open`, and asks who is there at its base alone.
    private func hiding(_ status: Int, usesTokens: Bool = false) throws -> ScriptedRegistry {
        try registry(usesTokens: usesTokens) { request in
            guard request.header("Authorization") == nil else { return nil }
            if request.path.contains("/open/") { return .text(#"{"tags":["1"]}"#) }
            return request.path == "/v2/" ? nil : .error(status, "NAME_UNKNOWN")
        }
    }

    private func configuration(password: String) -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration.withoutRetries
        configuration.credentials = { _, _, _ in Credentials(username: "me", password: password, source: "/auth.json") }
        return configuration
    }

    @Test(arguments: [403, 404], [false, true])
    func `a registry that hides what is not for everyone is told who we are`(
        status: Int,
        usesTokens: Bool
    ) async throws {
        let registry = try hiding(status, usesTokens: usesTokens)
        try await withClient(configuration(password: new)) { client in
            let open = try await client.tags(of: registry.repository("open/app"))
            #expect(open == ["1"])
            #expect(registry.requests.count == 1)
            try await withThrowingTaskGroup { group in
                for number in 0..<10 {
                    let repository = try registry.repository("team/app-\(number)")
                    group.addTask { try await client.tags(of: repository) }
                }
                for try await tags in group { #expect(tags == ["1"]) }
            }
        }
        #expect(registry.requests.count { $0.path == "/v2/" } == 1)
    }

    @Test func `a registry that does not want to know is asked once, and only for who has something to say`()
        async throws
    {
        for hasCredentials in [false, true] {
            let registry = try ScriptedRegistry { $0.path == "/v2/" ? .text("{}") : .error(404, "NAME_UNKNOWN") }
            let configuration = hasCredentials ? configuration(password: new) : .withoutRetries
            try await withClient(configuration) { client in
                for number in 0..<3 {
                    let repository = try registry.repository("app-\(number)")
                    let error = try await failure { try await client.tags(of: repository) }
                    #expect(error.code == .notFound)
                }
            }
            #expect(registry.requests.count { $0.path == "/v2/" } == (hasCredentials ? 1 : 0))
            #expect(registry.requests.allSatisfy { $0.header("Authorization") == nil })
        }
    }

    @Test(arguments: [false, true])
    func `where it then refuses us that is told, and what is for everyone still is`(usesTokens: Bool) async throws {
        let registry = try hiding(404, usesTokens: usesTokens)
        try await withClient(configuration(password: old)) { client in
            for number in 0..<3 {
                let repository = try registry.repository("team/app-\(number)")
                let error = try await failure { try await client.tags(of: repository) }
                #expect(error.code == .notFound)
                let told = error.description.contains("refuses the credentials from /auth.json")
                #expect(told == (number == 0), "\(error)")
                let open = try await client.tags(of: registry.repository("open/app"))
                #expect(open == ["1"])
            }
        }
        #expect(registry.requests.count { $0.path == "/v2/" } == 1)
        let basic = basic(old)
        #expect(registry.requests.count { $0.header("Authorization") == basic } == 1)
    }

    @Test func `a registry whose base fails for a moment has not said no`() async throws {
        let registry = try registry(usesTokens: false) { request in
            request.path == "/v2/" ? .error(503, "UNAVAILABLE") : .error(404, "NAME_UNKNOWN")
        }
        let repository = try registry.repository("team/app")
        let error = try await clientFailure(configuration(password: new)) { try await $0.tags(of: repository) }
        #expect(error.code == .notFound)
    }

    // MARK: - Challenges

    @Test func `one host may ask in one way here and in another there`() async throws {
        let basic = basic(new)
        let registry = try ScriptedRegistry { request in
            let authorization = request.header("Authorization")
            if request.path == "/token" { return authorization == basic ? .text(#"{"token":"t"}"#) : Answer(401) }
            let isFirst = request.path.contains("/one/")
            if authorization == (isFirst ? basic : "Bearer t") { return .text(#"{"tags":["1"]}"#) }
            let bearer = "Bearer realm=\"http://\(request.header("Host") ?? "")/token\""
            return Answer(401).with("WWW-Authenticate", isFirst ? "Basic realm=x" : bearer)
        }
        try await withClient(configuration(password: new)) { client in
            for path in ["one/app", "two/app", "one/app", "two/other"] {
                let tags = try await client.tags(of: registry.repository(path))
                #expect(tags == ["1"], "\(path)")
            }
        }
    }

    @Test func `a token with too little in it is replaced, whichever status says so`() async throws {
        let registry = try ScriptedRegistry { request in
            let authorization = request.header("Authorization")
            if request.path == "/token" {
                return .text(request.target.contains("more") ? #"{"token":"wide"}"# : #"{"token":"narrow"}"#)
            }
            if authorization == "Bearer wide" { return .text(#"{"tags":["1"]}"#) }
            let more = authorization == nil ? "" : ",error=\"insufficient_scope\",scope=\"repository:app:more\""
            let bearer = "Bearer realm=\"http://\(request.header("Host") ?? "")/token\"\(more)"
            return Answer(authorization == nil ? 401 : 403).with("WWW-Authenticate", bearer)
        }
        try await withClient { client in
            for _ in 0..<2 {
                let tags = try await client.tags(of: registry.repository())
                #expect(tags == ["1"])
            }
        }
        #expect(registry.requests.count { $0.path == "/token" } == 2)
    }

    @Test func `a helper is asked again too where an old password is forbidden`() async throws {
        let (basic, old) = (basic(new), basic(old))
        let registry = try ScriptedRegistry { request in
            switch request.header("Authorization") {
            case basic: .text(#"{"tags":["1"]}"#)
            case old: .error(403, "DENIED")
            default: Answer(401).with("WWW-Authenticate", "Basic realm=x")
            }
        }
        let repository = try registry.repository()
        let tags = try await withClient(configuration(self.old, new)) { try await $0.tags(of: repository) }
        #expect(tags == ["1"])
        #expect(try askedCount == 2)
    }

    @Test func `what a helper gave before is kept where it cannot give it again`() async throws {
        let basic = basic(old)
        let registry = try ScriptedRegistry { request in
            guard request.header("Authorization") == basic else {
                return Answer(401).with("WWW-Authenticate", "Basic realm=x")
            }
            return request.path.contains("/closed/") ? .error(403, "DENIED") : .text(#"{"tags":["1"]}"#)
        }
        var configuration = try configuration(old)
        let script =
            "#!/bin/sh\n[ -e \"$HOME/asked\" ] && exit 3\necho x >\"$HOME/asked\"\necho \"{\\\"Username\\\":\\\"me\\\",\\\"Secret\\\":\\\"\(old)\\\"}\""
        try scratch.write(script, to: "docker-credential-test")
        configuration.retryLimit = 0
        try await withClient(configuration) { client in
            for path in ["open/a", "closed/b", "open/c"] {
                let repository = try registry.repository(path)
                if path.hasPrefix("closed") {
                    #expect(try await failure { try await client.tags(of: repository) }.code == .denied)
                } else {
                    let tags = try await client.tags(of: repository)
                    #expect(tags == ["1"])
                }
            }
        }
    }
}
