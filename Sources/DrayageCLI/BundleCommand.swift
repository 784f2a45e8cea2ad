import ArgumentParser
import Drayage

/// `drayage bundle`: images become one file.
struct BundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Pull images and write them to one file.",
        discussion: """
            Every image is pulled whole, with all its platforms, and stored as it is. The file is an OCI image layout \
            in a plain tar; it appears under its name only when everything in it has been verified. A run that was \
            interrupted is gone on with by the same command.

            Example:

              drayage bundle -f images.txt -o bundle.tar
              drayage bundle alpine:3.20 quay.io/prometheus/node-exporter:v1.8.2 -o bundle.tar
            """
    )

    @OptionGroup var images: ImageListArguments

    @Option(
        name: [.customShort("o"), .long],
        help: "The file to write.",
        completion: .file(extensions: ["tar"])
    )
    var output: String?

    @Flag(help: "Replace the file if it exists.")
    var force = false

    @Flag(help: "Write a bundle without the images that fail; exit code 2 tells of them.")
    var keepGoing = false

    @Flag(help: "Plan an interrupted bundle again, with what its tags mean now; what is still needed is kept.")
    var refresh = false

    @Option(
        help: ArgumentHelp(
            "An earlier bundle: what it has is not fetched again. Repeatable.",
            valueName: "bundle"
        ),
        completion: .file(extensions: ["tar"])
    )
    var reuse: [String] = []

    @OptionGroup var mirrors: MirrorArguments
    @OptionGroup var ranges: RangeArguments
    @OptionGroup var retry: RetryArguments

    @Flag(help: "Print what the bundle would hold, and write nothing.")
    var dryRun = false

    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        guard output != nil || dryRun else { throw ValidationError("Missing expected argument '-o <output>'") }
        guard !connection.identity.readsStandardInput || !images.file.contains("-") else {
            throw ValidationError("Stdin holds a secret, so it cannot hold a list as well: -f -")
        }
        guard retry.file == nil || images.areEmpty else {
            throw ValidationError("--retry-from says which images it is about; it takes no list of them")
        }
        guard output != "" else { throw ValidationError("-o takes the name of a file") }
        guard output != "-" else { throw ValidationError("A bundle is a file; it is not written to stdout") }
    }

    func run() async throws {
        try await report.run("bundle") { progress in
            let references = try retry.report(of: "bundle")?.missingImages() ?? images.parsed()
            let registries = Set(references.map(\.repository.registry))
            var connections = try connection.options(logger: report.logger, for: registries)
            ranges.apply(to: &connections)
            try mirrors.apply(to: &connections)
            let synchronizer = Synchronizer(connections: connections, progress: progress)
            var options = Synchronizer.Options()
            options.keepGoing = keepGoing
            options.replacesExisting = force
            options.refreshes = refresh
            options.reusedBundles = reuse
            guard let output, !dryRun else { return try await synchronizer.plan(references, options: options) }
            return try await synchronizer.bundle(references, to: output, options: options)
        }
    }
}
