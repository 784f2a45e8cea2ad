import ArgumentParser
import Drayage
import Logging

/// How registries are reached, and who we are there.
struct ConnectionArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A registry that is spoken to in plain HTTP, as those on loopback are. Repeatable.",
            valueName: "host"
        )
    )
    var plainHttp: [String] = []

    @Option(help: ArgumentHelp("A host whose certificate is not verified. Repeatable.", valueName: "host"))
    var insecure: [String] = []

    @Option(help: "A PEM file of certificates to trust besides the system's.", completion: .file())
    var caFile: String?

    @Option(
        help: ArgumentHelp("A registry that is spoken to with TLS even on loopback. Repeatable.", valueName: "host")
    )
    var tls: [String] = []

    @Option(name: [.customShort("u"), .long], help: "The user name; else docker's config.json is asked.")
    var username: String?

    @Flag(help: "Read the password from stdin.")
    var passwordStdin = false

    @Option(name: [.customShort("j"), .long], help: "The most requests in flight to one registry.")
    var parallelism = 32

    @Option(help: ArgumentHelp("How often a request that failed is tried again; 8 outlast a minute.", valueName: "n"))
    var retries = 8

    @Option(
        help: ArgumentHelp("The longest wait that a registry may ask for: 90s, 30m, 2h.", valueName: "time")
    )
    var maxWait = Interval(duration: .seconds(300))

    func validate() throws {
        guard (0...100).contains(retries) else { throw ValidationError("--retries takes a number from 0 to 100") }
        guard (1...1024).contains(parallelism) else { throw ValidationError("-j takes a number from 1 to 1024") }
        for (option, hosts) in [("--tls", tls), ("--plain-http", plainHttp), ("--insecure", insecure)] {
            for host in hosts where !Self.isHost(host) {
                throw ValidationError("\(option) takes a registry's host, with its port: \"\(host.printable)\" is none")
            }
        }
        if let host = Set(tls).intersection(plainHttp).min() {
            throw ValidationError("\(host.printable) is spoken to with TLS or in plain HTTP: --tls or --plain-http")
        }
        guard (username != nil) == passwordStdin else {
            throw ValidationError("--username and --password-stdin go together")
        }
    }

    private static func isHost(_ text: String) -> Bool {
        guard let target = try? RegistryTarget(parsing: text) else { return false }
        return target.registry == text && target.prefix == nil
    }

    /// The options without credentials of the command line.
    func options(logger: Logger) throws -> ConnectionOptions {
        var options = ConnectionOptions()
        options.plainHTTPRegistries = plainHttp
        options.insecureRegistries = insecure
        options.caFile = caFile
        options.tlsRegistries = tls
        options.parallelism = parallelism
        options.retryLimit = retries
        options.maxWait = maxWait.duration
        options.logger = logger
        return options
    }

    /// The options with the credentials of the command line for one registry.
    func options(logger: Logger, for registry: String) throws -> ConnectionOptions {
        var options = try options(logger: logger)
        if let user = try credentials() {
            options.setCredentials(username: user.name, password: user.password, for: registry)
        }
        return options
    }

    /// The user of the command line, with the password from stdin.
    func credentials() throws -> (name: String, password: String)? {
        guard let username else { return nil }
        var password: Substring
        do {
            password = Substring(decoding: try Input.read(), as: UTF8.self)
        } catch {
            throw ValidationError("No password could be read from stdin: \(error)")
        }
        while password.last?.isNewline == true { password = password.dropLast() }
        guard !password.isEmpty else { throw ValidationError("The password on stdin is empty") }
        return (username, String(password))
    }
}

/// How large blobs are fetched.
struct RangeArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The most connections that fetch one blob of more than 64 MiB. More than one do where one is slow.",
            valueName: "n"
        )
    )
    var ranges = 8

    func validate() throws {
        guard (1...8).contains(ranges) else { throw ValidationError("--ranges takes a number from 1 to 8") }
    }

    func apply(to options: inout ConnectionOptions) { options.rangeLimit = ranges }
}
