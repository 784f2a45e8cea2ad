import ArgumentParser
import Drayage

/// `drayage verify`: checks that everything is there and is what it says.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a bundle, by itself or against a registry.",
        discussion: """
            Alone: every blob's size and digest, and that everything referenced is there. With --deep: also that each \
            layer decompresses (gzip, zstd) as its manifest says, and that its content is what the image's config says. \
            Nothing is written, and memory is bounded; a layer that becomes more than 1 GiB and 1,100 times its own size \
            is refused. With --at: that everything in the bundle is in that registry, under the names that push gives, \
            with the same digests.

            Example:

              drayage verify bundle.tar
              drayage verify --deep bundle.tar
              drayage verify bundle.tar --at registry.site:5000
            """
    )

    @Argument(help: "The bundle.", completion: .file(extensions: ["tar"]))
    var bundle: String

    @Flag(help: "Decompress each layer, and check its content too.")
    var deep = false

    @Option(name: .customLong("at"), help: "A registry, with its prefix, that must have everything.")
    var target: String?

    @OptionGroup var mapping: MappingArguments
    @OptionGroup var reading: ReadingArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        guard !deep || target == nil else {
            throw ValidationError("--deep is for a bundle by itself; a registry is compared by digests")
        }
    }

    func run() async throws {
        try await report.run("verify") { progress in
            let reading = try reading.options()
            guard let target else {
                return try await Verifier(reading: reading, progress: progress).verify(bundle: bundle, deep: deep)
            }
            let mapping = try mapping.mapping(to: target)
            let connections = try connection.options(logger: report.logger, for: [mapping.target.registry])
            let verifier = Verifier(connections: connections, reading: reading, progress: progress)
            return try await verifier.verify(bundle: bundle, at: mapping)
        }
    }
}
