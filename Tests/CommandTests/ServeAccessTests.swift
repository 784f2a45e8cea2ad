import Foundation
import OCI
import TestSupport
import Testing

/// Who may do what: on this host, beyond it, with passwords, over TLS.
@Suite struct ServeAccessTests {
    private let terminal: Terminal
    private let blob = Array("a blob".utf8)
    private let refusal = "note: writes are refused, for there is neither --htpasswd nor --allow-anonymous-write\n"
    private let warning = "warning: passwords cross the network in the clear; give --tls-cert and --tls-key\n"

    private static let password = TestSecrets.user("ship").password
    private static let wrongPassword = TestSecrets.user("ship").password

    /// `registry` is empty, `users` has `ship` with a password, `bundle.tar` has an image.
    init() throws {
        terminal = try Terminal()
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("registry"),
            withIntermediateDirectories: true
        )
        try terminal.scratch.write(user("ship", Self.password), to: "users")
        var builder = ImageBuilder(seed: 750)
        let source = try Source()
        try terminal.command(["bundle", "-o", "bundle.tar", try source.add(builder.image(), "app")]).check()
    }

    private func user(_ name: String, _ password: String) throws -> [UInt8] {
        try Command("htpasswd", ["-nbB", "-C", "4", name, password]).check().output.filter { $0 != 10 } + [10]
    }

    private func basic(_ text: String) -> [String: String] {
        ["Authorization": "Basic \(Data(text.utf8).base64EncodedString())"]
    }

    // MARK: - Beyond this host

    @Test func `beyond loopback a write needs a password, or leave`() async throws {
        let server = try ServeProcess(terminal, ["registry", "--listen", "0.0.0.0:0"])
        #expect(server.output.wholeMatch(of: /0\.0\.0\.0:[1-9][0-9]*\n/) != nil, "\(server.output)")
        try await until { server.log == refusal }
        // It cannot be told who is behind a proxy on this host, so it is the address listened at that counts.
        for address in Self.addresses.map({ server.address.replacing("0.0.0.0", with: $0) }) {
            let client = try ServeClient(address)
            #expect(try client.ask("GET", "/v2/").status == 200)
            #expect(try client.ask("GET", "/v2/_catalog").status == 200)
            for method in ["POST /v2/app/blobs/uploads/", "PUT /v2/app/manifests/1", "DELETE /v2/app/manifests/1"] {
                let parts = method.split(separator: " ").map(String.init)
                let answer = try client.ask(parts[0], parts[1])
                #expect(answer.status == 403)
                #expect(answer.text.contains("\"DENIED\""), "\(answer.text)")
            }
            let push = try await terminal.drayage("push", "bundle.tar", "http://\(address)")
            #expect(push.status == 4)
            #expect(push.errorText.contains("--allow-anonymous-write"), "\(push.errorText)")
        }
        #expect(try terminal.scratch.names(in: "registry") == [])
    }

    @Test func `leave to write is enough, and then nothing is said`() async throws {
        let listen = ["registry", "--listen", "0.0.0.0:0"]
        let server = try ServeProcess(terminal, listen + ["--allow-anonymous-write"])
        for address in Self.addresses.map({ server.address.replacing("0.0.0.0", with: $0) }) {
            try await terminal.succeed("push", "bundle.tar", "http://\(address)")
        }
        #expect(server.log.split(separator: "\n").count == server.requests.count, "\(server.log)")
        #expect(server.end() == 0)
        // Nor where there is nothing to write to.
        let readOnly = [listen + ["--read-only"], ["bundle.tar", "--listen", "0.0.0.0:0"]]
        for arguments in readOnly {
            let server = try ServeProcess(terminal, arguments)
            #expect(try ServeClient(server.address).ask("GET", "/v2/").status == 200)
            #expect(server.log.split(separator: "\n").count == server.requests.count, "\(server.log)")
        }
    }

    @Test func `passwords in the clear are warned of, beyond loopback`() async throws {
        let open = try ServeProcess(terminal, ["registry", "--htpasswd", "users", "--listen", "0.0.0.0:0"])
        try await until { open.log == warning }
        #expect(open.end() == 0)
        let local = try ServeProcess(terminal, ["registry", "--htpasswd", "users"])
        #expect(local.end() == 0)
        #expect(!local.log.contains("warning"))
        let tls = try certificate()
        let safe = try ServeProcess(terminal, ["registry", "--htpasswd", "users", "--listen", "0.0.0.0:0"] + tls)
        #expect(safe.end() == 0)
        #expect(!safe.log.contains("warning"))
    }

    @Test(.enabled(if: addresses.count > 1, "this machine has no address besides loopback"))
    func `an address of the network alone is listened at`() throws {
        let server = try ServeProcess(terminal, ["registry", "--listen", "\(Self.addresses[1]):0"])
        #expect(server.address.hasPrefix(Self.addresses[1] + ":"))
        #expect(try server.put(blob, repository: "app").status == 403)
        #expect(throws: ServeClientError.self) {
            try ServeClient(server.address.replacing(Self.addresses[1], with: "127.0.0.1"))
        }
    }

    // MARK: - Passwords

    private func certificate() throws -> [String] {
        let files = try TestCertificate.make(in: terminal.scratch)
        return ["--tls-cert", files.certificatePath, "--tls-key", files.keyPath]
    }

    /// Runs `drayage` against a server with TLS, as a user with a password or as nobody.
    private func drayage(_ arguments: [String], password: String?) async throws -> Outcome {
        let user = password == nil ? [] : ["-u", "ship", "--password-stdin"]
        let command = terminal.command(arguments + ["--ca-file", "ca.pem"] + user, input: password ?? "")
        return try await command.run()
    }

    @Test func `TLS and passwords are all that a site needs`() async throws {
        let server = try ServeProcess(terminal, ["registry", "--htpasswd", "users"] + certificate())
        let (target, name) = ("https://\(server.address)", "\(server.address)/app:1")
        let pull = ["bundle", name, "-o", "back.tar", "--tls", server.address]
        for arguments in [["push", "bundle.tar", target], ["list", target], pull] {
            for password in [nil, Self.wrongPassword] {
                let outcome = try await drayage(arguments, password: password)
                #expect(outcome.status == 4, "\(outcome.errorText)")
            }
            let outcome = try await drayage(arguments, password: Self.password)
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
        try await terminal.succeed("verify", "back.tar")
        #expect(server.requests.contains { $0.contains(" user=ship method=PUT path=/v2/app/manifests/1 status=201 ") })
        #expect(server.requests.contains { $0.contains(" status=401 ") })
        #expect(!server.log.contains(Self.password) && !server.log.contains(Self.wrongPassword))
        // Whoever speaks no TLS is sent away, and the others do not notice.
        #expect(throws: ServeClientError.self) { try ServeClient(server.address).ask("GET", "/v2/") }
        #expect(try await drayage(["list", target], password: Self.password).status == 0)
        #expect(server.end() == 0)
    }

    @Test func `reading may be free where writing is not`() async throws {
        let options = ["registry", "--htpasswd", "users", "--anonymous-read"]
        let server = try ServeProcess(terminal, options + certificate())
        let target = "https://\(server.address)"
        #expect(try await drayage(["push", "bundle.tar", target], password: nil).status == 4)
        #expect(try await drayage(["push", "bundle.tar", target], password: Self.password).status == 0)
        for password in [nil, Self.password] {
            let outcome = try await drayage(["verify", "bundle.tar", "--at", target], password: password)
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
    }

    @Test func `who is added while it runs may come in, and who is removed may not`() async throws {
        let server = try ServeProcess(terminal, ["registry", "--htpasswd", "users"])
        #expect(try server.ask("GET", "/v2/", headers: basic("crane:by-hand")).status == 401)
        try terminal.scratch.write(user("crane", "by-hand"), to: "users")
        try await until { try server.ask("GET", "/v2/", headers: basic("crane:by-hand")).status == 200 }
        #expect(try server.ask("GET", "/v2/", headers: basic("ship:\(Self.password)")).status == 401)
        #expect(server.end() == 0)
    }
}

extension ServeAccessTests {
    /// The addresses of this machine, 127.0.0.1 first.
    static let addresses: [String] = {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return ["127.0.0.1"] }
        defer { freeifaddrs(list) }
        let all = sequence(first: list) { $0?.pointee.ifa_next }.compactMap { entry -> String? in
            guard let address = entry?.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else {
                return nil
            }
            var text = [CChar](repeating: 0, count: 64)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return ["127.0.0.1"] + all.filter { !$0.isEmpty && !$0.hasPrefix("127.") }.prefix(1)
    }()
}
