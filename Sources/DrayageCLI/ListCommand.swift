import ArgumentParser
import Drayage

/// `drayage list`: what a bundle or a registry holds.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show what a bundle or a registry holds.",
        discussion: """
            Of a bundle: its images with their platforms, sizes and digests. Of a registry: its repositories with \
            their tags, or the tags of the one repository that is named.

            Example:

              drayage list bundle.tar
              drayage list registry.site:5000
              drayage list registry.site:5000/library/alpine
            """
    )

    @Argument(help: "A bundle, or REGISTRY[/REPOSITORY].", completion: .file())
    var subject: String

    @OptionGroup var reading: ReadingArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func run() async throws {
        try await report.run("list") { progress in
            guard !BundleArgument.isBundle(subject) else {
                return try await Lister(reading: try reading.options(), progress: progress).list(bundle: subject)
            }
            let target = try RegistryTarget(parsing: subject)
            let connections = try connection.options(logger: report.logger, for: [target.registry])
            return try await Lister(connections: connections).list(target: target)
        }
    }
}
