import Foundation
import TestSupport
import Testing

@testable import RegistryClient

/// Programs that keep credentials: scripts that speak the protocol, and what goes wrong with such.
@Suite(.timeLimit(.minutes(10))) struct CredentialHelperTests {
    private let scratch: ScratchDirectory
    private let log = Log()

    init() throws { scratch = try ScratchDirectory() }

    /// The environment in which the helpers of this test are found, and the system's programs that they call.
    private var environment: [String: String] { ["PATH": "\(scratch.path):/usr/bin:/bin", "HOME": scratch.path] }

    /// Makes a helper of which the script is `body`, with the action in `$1`.
    private func helper(_ body: String, name: String = "test") throws {
        let path = try scratch.write("#!/bin/sh\n\(body)\n", to: "docker-credential-\(name)")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// What is found where a file names helpers.
    private func find(
        _ config: String,
        _ registry: String = "r.example",
        timeout: Duration = .seconds(60)
    ) async throws -> Credentials? {
        let store = CredentialStore(
            files: [try CredentialFile.parse(Array(config.utf8), path: "config.json")],
            environment: environment,
            helperTimeout: timeout,
            logger: log.logger
        )
        return try await store.credentials(for: registry, path: "team/app")
    }

    @Test(arguments: [
        (#"{"credsStore":"test"}"#, "r.example", "r.example"),
        (#"{"credsStore":"none","credHelpers":{"r.example":"test"}}"#, "r.example", "r.example"),
        (#"{"credHelpers":{"r.example:5000":"test"}}"#, "r.example:5000", "r.example:5000"),
        (#"{"credHelpers":{"r.example/team":"test"}}"#, "r.example", "r.example/team"),
        // What docker itself calls its registry.
        (#"{"credsStore":"test"}"#, "docker.io", "https://index.docker.io/v1/"),
        (#"{"credHelpers":{"docker.io":"test"}}"#, "docker.io", "https://index.docker.io/v1/"),
        (#"{"credHelpers":{"https://index.docker.io/v1/":"test"}}"#, "docker.io", "https://index.docker.io/v1/"),
    ])
    func `a helper is asked for the registry, through its input`(
        config: String,
        registry: String,
        server: String
    ) async throws {
        try helper(
            #"""
            server=$(cat); echo "$@ $server" >>"$HOME/asked"
            echo "{\"ServerURL\":\"$server\",\"Username\":\"me\",\"Secret\":\"s3cret \\\"é\"}"
            """#
        )
        let found = try await find(config, registry)
        #expect(found?.kind == .password(username: "me", password: "s3cret \"é"))
        #expect(found?.source == "docker-credential-test")
        #expect(String(decoding: try scratch.read("asked"), as: UTF8.self) == "get \(server)\n")
        #expect(log.warnings == [])
    }

    @Test func `a helper may have an identity token`() async throws {
        try helper(#"echo '{"ServerURL":"r","Username":"<token>","Secret":"abc"}'"#)
        #expect(try await find(#"{"credsStore":"test"}"#)?.kind == .identityToken("abc"))
    }

    @Test func `what a helper has goes before the file, and where it has nothing the file counts`() async throws {
        let config = #"{"auths":{"r.example":{"auth":"bWU6ZmlsZQ=="}},"credsStore":"test"}"#
        try helper(#"echo '{"Username":"me","Secret":"helper"}'"#)
        #expect(try await find(config)?.kind == .password(username: "me", password: "helper"))
        try helper("echo credentials not found in native keychain; exit 1")
        #expect(try await find(config)?.kind == .password(username: "me", password: "file"))
        #expect(log.warnings == [])
    }

    @Test func `many who ask at once start a helper once`() async throws {
        try helper(#"echo x >>"$HOME/asked"; echo '{"Username":"me","Secret":"p"}'"#)
        let file = try CredentialFile.parse(Array(#"{"credsStore":"test"}"#.utf8), path: "config.json")
        let store = CredentialStore(files: [file], environment: environment, logger: log.logger)
        try await withThrowingTaskGroup { group in
            for number in 0..<20 {
                group.addTask { try await store.credentials(for: "r.example", path: "app-\(number)") }
            }
            for try await found in group { #expect(found?.source == "docker-credential-test") }
        }
        #expect(String(decoding: try scratch.read("asked"), as: UTF8.self) == "x\n")
    }

    /// A helper that goes wrong, and what is said of it.
    @Test(
        arguments: [
            ("echo 'the keyring is locked'; exit 1", "the keyring is locked"), ("exit 3", "it failed without a word"),
            ("echo '{}'", "its answer is not the JSON of a credential helper"),
            ("echo '{\"Username\":\"<token>\",\"Secret\":\"two words\"}'", "its token is not one word"),
            ("printf 'locked \\033[2Jup'; exit 1", "locked \\u{1B}[2Jup"),
            ("kill -9 $$", "it failed without a word"), ("echo 'touch your key' >&2; exit 1", "touch your key"),
            // An answer is not told, though it was for nothing.
            ("echo '{\"Username\":\"me\",\"Secret\":\"s3cret\"}'; exit 1", "it failed after its answer"),
            // More than any helper prints.
            ("head -c 3000000 /dev/zero", nil),
        ] as [(String, String?)]
    )
    func `a helper that fails is a warning that names it, and is no failure`(body: String, reason: String?) async throws
    {
        try helper(body)
        #expect(try await find(#"{"credsStore":"test"}"#) == nil)
        let warning = try #require(log.warnings.first)
        #expect(log.warnings.count == 1)
        #expect(!warning.contains("s3cret"))
        #expect(warning.hasPrefix("asking docker-credential-test: \(reason ?? "")"), "\(warning)")
        #expect(warning.hasSuffix("; config.json names it, and what it keeps for r.example is not used"))
    }

    @Test func `a helper that is not there is a warning`() async throws {
        #expect(try await find(#"{"credsStore":"absent"}"#) == nil)
        #expect(log.warnings.first?.contains("docker-credential-absent: there is no such program on the PATH") == true)
    }

    @Test(arguments: ["../evil", "a/b", ".x", "a b", "a;b", "$(x)", "é", String(repeating: "a", count: 101)])
    func `what is no name is never run`(name: String) async throws {
        try helper("touch \"$HOME/ran\"; exit 1", name: "evil")
        let config = String(decoding: try JSONEncoder().encode(["credsStore": name]), as: UTF8.self)
        #expect(try await find(config) == nil)
        #expect(log.warnings.first?.contains("that is no name of a helper") == true)
        #expect(!scratch.contains("ran"))
    }

    @Test func `a helper that does not answer is ended`() async throws {
        try helper("echo $$ >\"$HOME/pid\"; exec sleep 1000")
        #expect(try await find(#"{"credsStore":"test"}"#, timeout: .seconds(10)) == nil)
        #expect(log.warnings.first?.contains("it has not answered for 10 s") == true)
        let pid = try #require(
            Int32(String(decoding: try scratch.read("pid"), as: UTF8.self).trimmingCharacters(in: .newlines))
        )
        #expect(kill(pid, 0) != 0)
    }

    @Test func `an interruption ends a helper that asks a person`() async throws {
        try helper("echo $$ >\"$HOME/pid\"; exec sleep 1000")
        let task = Task { try await find(#"{"credsStore":"test"}"#) }
        while (try? scratch.read("pid"))?.last != UInt8(ascii: "\n") { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        let error = await #expect(throws: (any Error).self) { try await task.value }
        #expect(error is CancellationError)
        #expect(log.warnings == [])
    }

    @Test func `a helper stores and forgets, and no secret is an argument`() async throws {
        try helper(#"printf '%s|' "$@" >>"$HOME/log"; cat >>"$HOME/log"; echo >>"$HOME/log""#)
        let helper = try CredentialHelper(name: "test", environment: environment)
        try await helper.store("r.example", username: "me", secret: "s3cret")
        try await helper.erase("r.example")
        let lines = String(decoding: try scratch.read("log"), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        let stored = try JSONDecoder().decode(
            [String: String].self,
            from: Data(try #require(lines.first).dropFirst("store|".count).utf8)
        )
        #expect(stored == ["ServerURL": "r.example", "Username": "me", "Secret": "s3cret"])
        #expect(lines.last == "erase|r.example")
    }
}
