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

    @OptionGroup var identity: IdentityArguments

    @Option(
        help: ArgumentHelp("A header for one registry alone. Repeatable.", valueName: "host=name:value")
    )
    var header: [String] = []

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
        var unused = ConnectionOptions()
        try addHeaders(to: &unused)
    }

    private static func isHost(_ text: String) -> Bool {
        guard let target = try? RegistryTarget(parsing: text) else { return false }
        return target.registry == text && target.prefix == nil
    }

    /// The options for registries.
    ///
    /// - Parameters:
    ///   - logger: the log.
    ///   - registries: the registries that the command is about; the credentials of the command line are for the only one.
    /// - Returns: the options.
    /// - Throws: `ValidationError`, `CredentialsError`.
    func options(logger: Logger, for registries: Set<String>) throws -> ConnectionOptions {
        var options = try options(logger: logger)
        try identity.apply(to: &options, registries: registries)
        return options
    }

    /// The options without what the command line says of who we are.
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
        try addHeaders(to: &options)
        return options
    }

    /// Adds the headers of the command line; what is said of a wrong one does not hold its value.
    private func addHeaders(to options: inout ConnectionOptions) throws {
        for text in header {
            let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            // Among bytes, for as a character the colon would hide behind an accent that follows it.
            guard sides.count == 2, let colon = sides[1].utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw ValidationError("--header takes HOST=NAME:VALUE")
            }
            guard let target = try? RegistryTarget(parsing: sides[0]), target.registry == sides[0],
                target.prefix == nil
            else { throw ValidationError("--header takes HOST=NAME:VALUE, and what it was given names no host") }
            let value = String(sides[1][sides[1].utf8.index(after: colon)...])
            do {
                try options.addHeader(name: String(sides[1][..<colon]), value: value, for: target.registry)
            } catch {
                throw ValidationError("--header: \(error)")
            }
        }
    }
}

/// Where images are asked for before their own registry.
struct MirrorArguments: ParsableArguments {
    @Option(
        name: .customLong("mirror"),
        help: ArgumentHelp(
            "A mirror that is asked first: docker.io=mirror.site:5000/hub. Before those of registries.conf. Repeatable.",
            valueName: "registry=mirror"
        )
    )
    var mirrors: [String] = []

    func validate() throws { _ = try parsed() }

    func apply(to options: inout ConnectionOptions) throws { options.mirrors = try parsed() }

    private func parsed() throws -> [RegistryMirror] {
        try mirrors.map { text in
            do { return try RegistryMirror(parsing: text) } catch { throw ValidationError("--mirror: \(error)") }
        }
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
