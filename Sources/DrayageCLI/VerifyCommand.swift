import ArgumentParser
import Drayage

/// `drayage verify`: checks that everything is there and is what it says.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a bundle, by itself or against a registry.",
        discussion: """
            Alone: every blob's size and digest, and that everything referenced is there. With --at: that everything \
            in the bundle is in that registry, under the names that push gives, with the same digests.

            Example:

              drayage verify bundle.tar
              drayage verify bundle.tar --at registry.site:5000
            """
    )

    @Argument(help: "The bundle.", completion: .file(extensions: ["tar"]))
    var bundle: String

    @Option(name: .customLong("at"), help: "A registry, with its prefix, that must have everything.")
    var target: String?

    @OptionGroup var mapping: MappingArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func run() async throws {
        try await report.run("verify") { progress in
            guard let target else { return try await Verifier(progress: progress).verify(bundle: bundle) }
            let mapping = try mapping.mapping(to: target)
            let connections = try connection.options(logger: report.logger, for: mapping.target.registry)
            return try await Verifier(connections: connections, progress: progress).verify(bundle: bundle, at: mapping)
        }
    }
}
