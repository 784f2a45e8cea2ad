import ArgumentParser
import Drayage

/// `drayage check`: what a registry can do, and what we may do there.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Find out what a registry can do, and what we may do there.",
        discussion: """
            Whether it can be reached, who signed its certificate and who we are there; with a repository also whether \
            we may pull, push and delete, and whether it has chunked uploads, mounts, ranges and a referrers API. \
            Nothing is left in the registry, unless --write asks for more.

            Example:

              drayage check registry.site:5000
              drayage check registry.site:5000 library/alpine --bundle bundle.tar
            """
    )

    @Argument(help: "REGISTRY[/PREFIX].")
    var registry: String

    @Argument(help: "Repositories to try.")
    var repositories: [String] = []

    @Option(
        help: ArgumentHelp("A bundle of which to find out what pushing it would need.", valueName: "bundle"),
        completion: .file(extensions: ["tar"])
    )
    var bundle: String?

    @Flag(help: "Also put an index of which an image is missing, and delete it where that is possible.")
    var write = false

    @OptionGroup var mapping: MappingArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func run() async throws {
        try await report.run("check") { _ in
            let mapping = try mapping.mapping(to: registry)
            let connections = try connection.options(logger: report.logger, for: [mapping.target.registry])
            var options = Checker.Options()
            options.repositories = repositories
            options.bundle = bundle
            options.writes = write
            return try await Checker(connections: connections).check(mapping, options: options)
        }
    }
}
