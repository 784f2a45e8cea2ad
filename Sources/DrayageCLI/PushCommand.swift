import ArgumentParser
import Drayage

/// `drayage push`: a file becomes images in a registry.
struct PushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Replay a bundle into a registry.",
        discussion: """
            The host that an image came from is dropped and its path kept: docker.io/library/alpine:3.20 becomes \
            registry.site:5000/library/alpine:3.20. What follows the host in TARGET goes before every path. Nothing \
            is written to disk, and what the registry has already is not sent again.

            The bundle may be another program's: an OCI layout in a tar file or a directory, or an archive of docker save, \
            of any age. One that is compressed (gzip, zstd, xz) is unpacked first, in --spool.

            Example:

              drayage push bundle.tar registry.site:5000
              drayage push bundle.tar https://registry.site/mirror --keep-host --dry-run
              drayage push saved.tar.gz registry.site:5000 --spool /srv/tmp
            """
    )

    @Argument(help: "The bundle.", completion: .file(extensions: ["tar"]))
    var bundle: String

    @Argument(help: "The registry, with a prefix for every repository if one follows.")
    var target: String

    @OptionGroup var mapping: MappingArguments
    @OptionGroup var reading: ReadingArguments

    @Option(
        help: "What happens to a tag that has another digest: overwrite, skip or fail.",
        completion: .list(Pusher.ExistingTagPolicy.allCases.map(\.rawValue)),
        transform: { text in
            guard let policy = Pusher.ExistingTagPolicy(rawValue: text) else {
                throw ValidationError("--on-existing takes overwrite, skip or fail")
            }
            return policy
        }
    )
    var onExisting = Pusher.ExistingTagPolicy.overwrite

    @Flag(help: "Leave out what refers to the images: signatures, attestations, SBOMs.")
    var noReferrers = false

    @Flag(help: "Print what would be done, and do nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "The largest piece of a blob that goes in one request: 16MiB, 90MB, 1G. Without it a blob goes whole, and "
                + "in smaller pieces where that is refused or breaks.",
            valueName: "size"
        )
    )
    var chunkSize: ByteSize?

    @OptionGroup var retry: RetryArguments

    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        if let chunkSize, chunkSize.byteCount < 1 << 20 {
            throw ValidationError("--chunk-size takes a size from 1MiB on")
        }
    }

    func run() async throws {
        try await report.run("push") { progress in
            let mapping = try mapping.mapping(to: target)
            var connections = try connection.options(logger: report.logger, for: [mapping.target.registry])
            connections.chunkSize = chunkSize?.byteCount
            var options = Pusher.Options()
            options.onExisting = onExisting
            options.isDryRun = dryRun
            options.includesReferrers = !noReferrers
            options.images = try retry.report(of: "push")?.unpushedImages(to: mapping.target)
            let pusher = Pusher(connections: connections, reading: try reading.options(), progress: progress)
            return try await pusher.push(bundle: bundle, to: mapping, options: options)
        }
    }
}

/// How names in a bundle become names in a registry.
struct MappingArguments: ParsableArguments {
    @Flag(help: "Make the source's host the first component of the path in the target.")
    var keepHost = false

    func mapping(to target: String) throws -> NameMapping {
        NameMapping(target: try RegistryTarget(parsing: target), keepsHost: keepHost)
    }
}
