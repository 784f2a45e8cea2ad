import ArgumentParser
import Drayage
import Glibc
import Logging

/// `drayage serve`: a directory or bundles become a registry.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a directory or bundles as a registry.",
        discussion: """
            A directory is served for reading and writing, in the layout of docker-registry's filesystem storage (it is \
            its rootdirectory); an empty one is a new registry. Bundles are served as they are, for reading: nothing \
            is unpacked or written. Their images have the names that push would give them.

            The address is the first line on stdout, once the server listens; each request is a line on stderr. It \
            ends when it is interrupted, after the requests that are under way, but in five minutes at the latest; an \
            upload that is cut off can be continued.

            Example:

              drayage serve bundle.tar --listen 0.0.0.0:5000
              drayage serve /var/lib/registry --htpasswd users --tls-cert s.pem --tls-key s.key
            """
    )

    @Argument(help: "A registry's root directory, or bundles.", completion: .file())
    var paths: [String]

    @Option(help: ArgumentHelp("Where to listen; port 0 is any that is free.", valueName: "address:port"))
    var listen = ListenAddress(host: "127.0.0.1", port: 5000)

    @Flag(help: "Refuse every change.")
    var readOnly = false

    @OptionGroup(title: "Names of a bundle's images") var names: ServedNameArguments
    @OptionGroup var reading: ReadingArguments
    @OptionGroup(title: "Access") var access: ServerAccessArguments

    @Option(
        help: ArgumentHelp("How long an upload that nobody goes on with is kept: 90s, 30m, 24h, 7d.", valueName: "time")
    )
    var uploadExpiry = Interval(duration: .seconds(24 * 3600))

    @Flag(name: .shortAndLong, help: "Print errors only.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Print what becomes of connections too.")
    var verbose = false

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("name a directory or bundles") }
    }

    func run() async throws {
        do {
            let (content, configuration) = (try content(), try configuration())
            try await Interrupt.awaiting { interruption in
                try await RegistryServer.withServer(of: content, configuration) { server in
                    try announce(server, isReadOnly: content.isReadOnly)
                    await interruption()
                    guard !quiet else { return }
                    Message.note("closing: requests that are under way are finished; once more stops at once")
                }
            }
        } catch let error as ValidationError {
            Message.error(error.message)
            throw ExitCode(ExitStatus.usage.rawValue)
        } catch {
            Message.error("\(error)")
            throw ExitCode(ExitStatus(of: error).rawValue)
        }
    }

    private func announce(_ server: RegistryServer, isReadOnly: Bool) throws {
        guard OutputStream.standardOutput.write(server.address + "\n") else { throw OutputError(errno: errno) }
        access.warn(about: server, isReadOnly: isReadOnly)
    }

    private func content() throws -> ServedContent {
        if paths.count == 1, FileKind.isDirectory(paths[0]), !FileKind.isLayout(paths[0]) {
            guard !names.isGiven else {
                throw ValidationError("--prefix and --keep-host are for bundles; \(paths[0]) is a directory")
            }
            return try .directory(paths[0], isReadOnly: readOnly)
        }
        if let missing = paths.first(where: { !FileKind.exists($0) }) {
            throw ValidationError("there is no \(missing); name bundles, or make that directory for a new registry")
        }
        if let directory = paths.first(where: { FileKind.isDirectory($0) && !FileKind.isLayout($0) }) {
            throw ValidationError("a directory is served alone, not beside other things: \(directory)")
        }
        let mapping = try PathMapping(prefix: names.prefix, keepsHost: names.keepHost)
        return try .bundles(paths, mapping: mapping, reading: try reading.options()) { [quiet] event in
            guard !quiet, case .unpacking(let path, let byteCount) = event else { return }
            Message.note("unpacking \(path), which takes \(ByteText.size(byteCount)) until the end")
        }
    }

    private func configuration() throws -> RegistryServer.Configuration {
        OpenFileLimit.raise()
        var configuration = RegistryServer.Configuration()
        configuration.host = listen.host
        configuration.port = listen.port
        configuration.uploadLifetime = uploadExpiry.duration
        access.apply(to: &configuration)
        var logger = Logger(label: "drayage") { _ in LogLineHandler() }
        logger.logLevel = quiet ? .error : verbose ? .debug : .info
        configuration.logger = logger
        return configuration
    }
}

/// Under which names a bundle's images are served.
struct ServedNameArguments: ParsableArguments {
    @Flag(help: "Make the source's host the first component of the path.")
    var keepHost = false

    @Option(help: ArgumentHelp("What goes before every path.", valueName: "path"))
    var prefix: String?

    var isGiven: Bool { keepHost || prefix != nil }
}

/// Who may do what.
struct ServerAccessArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("The server's certificate and those that lead to its authority, PEM.", valueName: "file"),
        completion: .file()
    )
    var tlsCert: String?

    @Option(help: ArgumentHelp("The certificate's private key, PEM.", valueName: "file"), completion: .file())
    var tlsKey: String?

    @Option(
        help: ArgumentHelp("Users and bcrypt hashes, as htpasswd -B makes them.", valueName: "file"),
        completion: .file()
    )
    var htpasswd: String?

    @Flag(help: "Ask for a password for writing only.")
    var anonymousRead = false

    @Flag(help: "Take writes from other hosts without a password.")
    var allowAnonymousWrite = false

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else { throw ValidationError("--tls-cert and --tls-key go together") }
        guard !anonymousRead || htpasswd != nil else { throw ValidationError("--anonymous-read needs --htpasswd") }
        guard !allowAnonymousWrite || htpasswd == nil else {
            throw ValidationError("--allow-anonymous-write and --htpasswd exclude each other")
        }
    }

    func apply(to configuration: inout RegistryServer.Configuration) {
        if let tlsCert, let tlsKey { configuration.tls = .init(certificatePath: tlsCert, keyPath: tlsKey) }
        configuration.passwordFile = htpasswd
        configuration.allowsAnonymousReading = anonymousRead
        configuration.allowsAnonymousWriting = allowAnonymousWrite
    }

    /// Says what an operator may not have thought of.
    func warn(about server: RegistryServer, isReadOnly: Bool) {
        guard !server.isLoopback else { return }
        if htpasswd != nil, tlsCert == nil {
            Message.note("warning: passwords cross the network in the clear; give --tls-cert and --tls-key")
        }
        if htpasswd == nil, !allowAnonymousWrite, !isReadOnly {
            Message.note("note: writes are refused, for there is neither --htpasswd nor --allow-anonymous-write")
        }
    }
}
