import ArgumentParser
import Drayage
import Logging

/// How registries are reached, and who we are there.
struct ConnectionArguments: ParsableArguments {
    @Flag(help: "Speak plain HTTP. Registries on loopback are spoken to that way unless told otherwise.")
    var plainHttp = false

    @Flag(help: "Do not verify certificates.")
    var insecure = false

    @Option(help: "A PEM file of certificates to trust besides the system's.", completion: .file())
    var caFile: String?

    @Option(
        help: ArgumentHelp("A registry that is spoken to with TLS even on loopback. Repeatable.", valueName: "host")
    )
    var tls: [String] = []

    @OptionGroup var identity: IdentityArguments

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
        for host in tls {
            guard let target = try? RegistryTarget(parsing: host), target.registry == host, target.prefix == nil else {
                throw ValidationError("--tls takes a registry's host, with its port: \"\(host.printable)\" is none")
            }
        }
    }

    /// The options for registries.
    ///
    /// - Parameters:
    ///   - logger: the log.
    ///   - registries: the registries that the command is about; the credentials of the command line are for the only one.
    /// - Returns: the options.
    /// - Throws: `ValidationError`, `CredentialsError`.
    func options(logger: Logger, for registries: Set<String>) throws -> ConnectionOptions {
        var options = ConnectionOptions()
        options.plainHTTP = plainHttp
        options.insecure = insecure
        options.caFile = caFile
        options.tlsRegistries = tls
        options.parallelism = parallelism
        options.retryLimit = retries
        options.maxWait = maxWait.duration
        options.logger = logger
        try identity.apply(to: &options, registries: registries)
        return options
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
