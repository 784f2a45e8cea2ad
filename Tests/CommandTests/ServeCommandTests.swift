import Foundation
import OCI
import TestSupport
import Testing

/// A registry as its operator meets it.
@Suite struct ServeCommandTests {
    private let terminal: Terminal
    private let blob = Array("a blob".utf8)

    init() throws {
        terminal = try Terminal()
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
    }

    @Test func `the address is all of stdout, and there is a registry when it is there`() throws {
        let server = try ServeProcess(terminal, ["registry"])
        #expect(server.output.wholeMatch(of: /127\.0\.0\.1:[1-9][0-9]*\n/) != nil, "\(server.output)")
        #expect(server.log == "")
        #expect(try server.ask("GET", "/v2/").status == 200)
        #expect(try server.ask("GET", "/healthz").status == 200)
        #expect(server.end() == 0)
        #expect(server.output == server.address + "\n")
        let note = "closing: requests that are under way are finished; once more stops at once\n"
        #expect(server.log.contains(note))
        // Reading has left nothing in the empty directory.
        #expect(try terminal.scratch.names(in: "registry") == [])
    }

    /// Whether this machine has the loopback address of IPv6.
    static let hasIPv6 = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        defer { close(descriptor) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()

    @Test(.enabled(if: hasIPv6, "this machine has no IPv6"))
    func `an IPv6 address is written in brackets, and is loopback as well`() throws {
        let server = try ServeProcess(terminal, ["registry", "--listen", "[::1]:0"])
        #expect(server.output.wholeMatch(of: /\[::1\]:[1-9][0-9]*\n/) != nil, "\(server.output)")
        #expect(try server.put(blob, repository: "app").status == 201)
        // The line of a request may come a moment after its answer, but not after the end.
        #expect(server.end() == 0)
        #expect(server.log.contains(" remote=[::1]:"), "\(server.log)")
    }

    @Test func `a name is as good as an address, and what is listened at is said`() throws {
        let server = try ServeProcess(terminal, ["registry", "--listen", "localhost:0"])
        #expect(server.output.wholeMatch(of: /(127\.0\.0\.1|\[::1\]):[1-9][0-9]*\n/) != nil, "\(server.output)")
        #expect(try server.ask("GET", "/v2/").status == 200)
    }

    @Test func `what is pushed into an empty directory is bundled from it, and is a registry's directory`()
        async throws
    {
        var builder = ImageBuilder(seed: 700)
        let image = try builder.multiPlatform(sharing: [try builder.layer(byteCount: 300_000)])
        let source = try Source()
        let name = try source.add(image, "team/app")
        try await terminal.succeed("bundle", name, "-o", "bundle.tar")

        let server = try ServeProcess(terminal, ["registry"])
        try await terminal.succeed("push", "bundle.tar", server.address)
        try await terminal.succeed("verify", "bundle.tar", "--at", server.address)
        let list = try await terminal.succeed("list", server.address)
        #expect(list.outputText.contains("team/app"), "\(list.outputText)")
        try await terminal.succeed("bundle", "\(server.address)/team/app:1", "-o", "back.tar")
        try await terminal.succeed("verify", "back.tar")
        #expect(server.end() == 0)

        let storage = RegistryStorage(root: terminal.scratch.path("registry"))
        #expect(try storage.digest(ofTag: "1", repository: "team/app") == image.digest)
        for (digest, bytes) in try image.allBytes { #expect(try storage.bytes(digest) == bytes) }
        #expect(storage.unfinishedUploads(repository: "team/app") == [])
    }

    @Test func `nothing is changed read-only, and several may read at once`() throws {
        try RegistryStorage(root: terminal.scratch.path("registry")).add(
            TestBlob(bytes: blob, mediaType: MediaType(rawValue: "application/octet-stream")),
            repository: "app"
        )
        let before = try terminal.scratch.snapshot(of: "registry")
        let servers = try (0..<2).map { _ in try ServeProcess(terminal, ["registry", "--read-only"]) }
        for server in servers {
            #expect(try server.ask("GET", "/v2/app/blobs/\(Digest.of(blob))").body == blob)
            let refusal = try server.put(blob, repository: "app")
            #expect(refusal.status == 405)
            #expect(refusal.text.contains("\"UNSUPPORTED\""), "\(refusal.text)")
        }
        #expect(throws: ServeProcessError.self) { try ServeProcess(terminal, ["registry"]) }
        #expect(servers.map { $0.end() } == [0, 0])
        #expect(try terminal.scratch.snapshot(of: "registry") == before)
    }

    @Test func `quiet says nothing of what goes well`() throws {
        let server = try ServeProcess(terminal, ["registry", "-q"])
        #expect(try server.put(blob, repository: "app").status == 201)
        #expect(try server.ask("GET", "/v2/app/blobs/none").status == 400)
        #expect(server.end() == 0)
        #expect(server.log == "")
    }

    @Test func `verbose says what becomes of connections, too`() async throws {
        for (arguments, isSaid) in [([], false), (["-v"], true)] {
            let server = try ServeProcess(terminal, ["registry"] + arguments)
            let client = try ServeClient(server.address)
            try client.send(Array("this is no HTTP\r\n\r\n".utf8)[...])
            #expect(try client.receive().status == 400)
            #expect(server.end() == 0)
            #expect(server.log.contains(" level=debug event=\"connection ended\" reason=") == isSaid, "\(server.log)")
        }
    }

    @Test func `an address that cannot be told ends it`() async throws {
        let command = terminal.command(["serve", "registry", "--listen", "127.0.0.1:0"])
        let full = Command(
            "sh",
            ["-c", #"exec "$0" "$@" >/dev/full"#, command.tool] + command.arguments,
            environment: command.environment,
            directory: command.directory
        )
        expect(try await full.run(), status: 1, errors: "error: writing to stdout: no space left on device\n")
    }

    @Test func `the help has an example, the defaults and every option`() async throws {
        #expect(try await terminal.succeed("--help").outputText.contains("\n  serve "))
        let help = try await terminal.succeed("serve", "--help").outputText
        #expect(help.contains("Example:\n\n  drayage serve "))
        #expect(help.contains("127.0.0.1:5000"))
        #expect(help.contains("24h"))
        for option in [
            "--listen", "--read-only", "--keep-host", "--prefix", "--tls-cert", "--tls-key", "--htpasswd",
            "--anonymous-read", "--allow-anonymous-write", "--upload-expiry", "--quiet", "--verbose",
        ] { #expect(help.contains(option), "\(option)") }
    }
}
