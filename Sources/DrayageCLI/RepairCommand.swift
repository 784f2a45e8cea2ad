import ArgumentParser
import Drayage

/// `drayage repair`: what is damaged in a bundle is fetched again.
struct RepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Fetch again what is damaged in a bundle.",
        discussion: """
            The bundle is verified, and each manifest, config or layer that is not what its digest says is fetched \
            again into its place; nothing else is written. Without --from it comes from the registries that the images \
            are from.

            Example:

              drayage repair bundle.tar
              drayage repair bundle.tar --from registry.site:5000
              drayage repair bundle.tar --from copy.tar
            """
    )

    @Argument(help: "The bundle.", completion: .file(extensions: ["tar"]))
    var bundle: String

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp(
            "Another bundle, or a registry that has the images under the names that push gives.",
            valueName: "bundle-or-registry"
        ),
        completion: .file(extensions: ["tar"])
    )
    var source: String?

    @OptionGroup var mapping: MappingArguments
    @OptionGroup var mirrors: MirrorArguments
    @OptionGroup var ranges: RangeArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        guard source != nil || !mapping.keepHost else {
            throw ValidationError("--keep-host is about a registry that --from names")
        }
        if source == nil, let option = connection.identity.single {
            throw ValidationError("\(option) is for one registry, which --from names; --creds is for several")
        }
    }

    func run() async throws {
        try await report.run("repair") { progress in
            var connections: ConnectionOptions
            let origin: Repairer.Source
            if let source, !BundleArgument.isBundle(source) {
                let mapping = try mapping.mapping(to: source)
                connections = try connection.options(logger: report.logger, for: [mapping.target.registry])
                origin = .registry(mapping)
            } else {
                connections = try connection.options(logger: report.logger, for: [])
                origin = source.map { .bundle($0) } ?? .origins
            }
            ranges.apply(to: &connections)
            try mirrors.apply(to: &connections)
            return try await Repairer(connections: connections, progress: progress).repair(bundle: bundle, from: origin)
        }
    }
}
