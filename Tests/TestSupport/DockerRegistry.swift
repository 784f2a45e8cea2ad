import Foundation
import Synchronization

/// Debian's `docker-registry` (distribution 2.8), run for one test on a free port of this machine.
///
/// It ends with the value, and with the tests: it lives only as long as a pipe that the tests hold open.
package final class DockerRegistry: LocalRegistry {
    /// The host and the port.
    package let address: String
    /// What it holds.
    package let storage: RegistryStorage
    /// The certificate of its authority in PEM; nil without TLS.
    package let certificateAuthorityPath: String?

    private let scratch: ScratchDirectory
    private let shell: RunningCommand
    private let keepsOpen: Mutex<Int32?>
    private let isAsked: Bool

    /// Starts a registry and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - storage: its content; nil is a directory that goes with it.
    ///   - options: how it is set up.
    /// - Throws: ``MissingToolError`` without the tools, ``DockerRegistryError`` with its log when it does not start.
    package init(on storage: RegistryStorage? = nil, options: RegistryOptions = RegistryOptions()) throws {
        let scratch = try ScratchDirectory()
        self.scratch = scratch
        let storage = try storage ?? RegistryStorage(in: ScratchDirectory())
        self.storage = storage
        // The one who asks for what has been answered speaks no TLS, and IPv4 alone.
        isAsked = !options.usesTLS && options.host == "127.0.0.1"
        certificateAuthorityPath =
            options.usesTLS ? try TestCertificate.make(in: scratch, for: options.certificateNames).authorityPath : nil
        try options.passwordFile(in: scratch)
        let configuration = Self.configuration(options, root: storage.root, directory: scratch.path)
        let path = try scratch.write(configuration, to: "config.yml")
        let registry = try Command("docker-registry").executablePath()
        for log in ["access.log", "registry.log"] { try scratch.write("", to: log) }
        let command = Command("sh", ["-c", Self.script, registry, path, scratch.path])
        let (running, input) = try RunningCommand.startHoldingInput(command)
        shell = running
        keepsOpen = Mutex(input)
        do {
            address = "\(options.host):\(try Self.port(from: scratch, of: running))"
        } catch {
            close(input)
            throw error
        }
    }

    /// Starts a registry on a directory.
    package convenience init(root: String) throws { try self.init(on: RegistryStorage(root: root)) }

    deinit { stop() }

    /// Ends the registry and waits until it has gone.
    package func stop() {
        let input = keepsOpen.withLock { input in
            defer { input = nil }
            return input
        }
        guard let input else { return }
        close(input)
        _ = shell.wait()
    }

    package func finish() -> [LoggedRequest] {
        stop()
        return requests
    }

    /// Its log, for the message of a test that failed.
    package var log: String { text("registry.log") }

    /// The requests that it has answered, in the order in which the answers ended.
    ///
    /// Of a registry that runs with TLS or IPv6, the last few may be missing; after ``stop()`` none is.
    package var requests: [LoggedRequest] {
        settle()
        return text("access.log").split(separator: "\n").compactMap { LoggedRequest(line: $0) }
            .filter { !$0.path.contains(Self.mark) }
    }

    private func text(_ name: String) -> String {
        String(decoding: (try? scratch.read(name)) ?? [], as: UTF8.self)
    }
}

extension DockerRegistry {
    private static let mark = "drayage-mark"

    /// Ends the registry when stdin does: even tests that are killed leave nothing running.
    private static let script = """
        exec 3<&0
        "$0" serve "$1" </dev/null >"$2/access.log" 2>"$2/registry.log" &
        registry=$!
        (cat <&3 >/dev/null; kill $registry 2>/dev/null) >/dev/null 2>&1 &
        exec 3<&-
        wait $registry
        """

    private static func configuration(_ options: RegistryOptions, root: String, directory: String) -> String {
        var text = """
            version: 0.1
            log: {level: info, formatter: text}
            storage:
              filesystem: {rootdirectory: \(root)}
              delete: {enabled: \(options.allowsDelete)}
              maintenance: {readonly: {enabled: \(options.isReadOnly)}, uploadpurging: {enabled: false}}
            http:
              addr: "\(options.host):0"

            """
        if options.usesTLS {
            text += "  tls: {certificate: \(directory)/server.pem, key: \(directory)/server.key}\n"
        }
        if let upstream = options.upstream { text += "proxy: {remoteurl: \"http://\(upstream)\"}\n" }
        if options.user != nil {
            text += "auth: {htpasswd: {realm: drayage, path: \(directory)/htpasswd}}\n"
        }
        if let tokens = options.tokens {
            text += """
                auth:
                  token:
                    realm: \(tokens.realm)
                    service: \(tokens.service)
                    issuer: \(tokens.issuer)
                    rootcertbundle: \(tokens.certificatePath)

                """
        }
        return text
    }

    /// The port that the system gave, from the registry's own log: no two registries can want the same.
    private static func port(from scratch: ScratchDirectory, of shell: RunningCommand) throws -> UInt16 {
        for _ in 0..<3000 {
            let log = String(decoding: try scratch.read("registry.log"), as: UTF8.self)
            if let found = log.firstMatch(of: /listening on (?:127\.0\.0\.1|\[::1\]):([0-9]+)/),
                let port = UInt16(found.1)
            {
                return port
            }
            guard !shell.hasEnded else { throw DockerRegistryError(log: log) }
            usleep(10_000)
        }
        throw DockerRegistryError(log: String(decoding: try scratch.read("registry.log"), as: UTF8.self))
    }

    /// Waits until the log holds all that was answered.
    ///
    /// A line is written after its answer has been read. A request of our own comes after all of those, so when its line
    /// is there, theirs are, but for what the scheduler turns round; so there are three, one after the other.
    private func settle() {
        guard isAsked, keepsOpen.withLock({ $0 != nil }) else { return }
        for number in 0..<3 {
            let path = "/v2/?\(Self.mark)=\(number)-\(UInt64.random(in: 0 ... .max))"
            guard (try? LoopbackSocket.get(path, from: address)) != nil else { return }
            for _ in 0..<500 where !text("access.log").contains(path) { usleep(2000) }
        }
    }
}

/// The registry did not start.
package struct DockerRegistryError: Error, CustomStringConvertible {
    /// What it wrote.
    package let log: String

    /// The log.
    package var description: String { "docker-registry did not start: \(log)" }
}
