import ArgumentParser
import Drayage

/// `drayage bundle`: images become one file.
struct BundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Pull images and write them to one file.",
        discussion: """
            Every image is pulled whole, with all its platforms and what refers to it (signatures, attestations, SBOMs), \
            and stored as it is; -p takes some platforms alone. The file is an OCI image layout in a plain tar; it \
            appears under its name only when everything in it has been verified. A run that was interrupted is gone on with by the same command.

            Example:

              drayage bundle -f images.txt -o bundle.tar
              drayage bundle -f images.txt -o bundle.tar -p linux/amd64 -p linux/arm64
              helm template ./chart | drayage bundle -f - -o chart.tar
              drayage bundle 'acme/app:*' --tags-semver '>=1.2 <2' --newest 3 -o app.tar
              drayage bundle --from saved.tar.gz alpine:3.20 -o alpine.tar
              drayage bundle alpine:3.20 quay.io/prometheus/node-exporter:v1.8.2 -o bundle.tar
            """
    )

    @OptionGroup var images: ImageListArguments
    @OptionGroup var unparsed: UnparsedArguments
    @OptionGroup var selection: SelectionArguments
    @OptionGroup var files: FileSourceArguments
    @OptionGroup var platforms: PlatformArguments
    @OptionGroup var signatures: SignatureArguments
    @OptionGroup var lock: LockArguments

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

    @Flag(help: "Leave behind what refers to the images: signatures, attestations, SBOMs.")
    var noReferrers = false

    @Option(
        help: ArgumentHelp(
            """
            Layers that their makers ask not to distribute (old Windows images): skip, or include, which fetches them \
            from the makers, over https.
            """,
            valueName: "skip|include"
        ),
        completion: .list(["skip", "include"]),
        transform: { text in
            guard let policy = ForeignLayerPolicy(rawValue: text) else {
                throw ValidationError("--foreign takes skip or include")
            }
            return policy
        }
    )
    var foreign: ForeignLayerPolicy?

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
        if files.from.isEmpty { try wanted.validate() } else { try checkFileOptions() }
        guard !lock.isLocked || (platforms.platforms.isEmpty && foreign == nil && !noReferrers && !refresh) else {
            throw ValidationError(
                "--locked bundles what the lock says; -p, --foreign, --no-referrers and --refresh do not go with it"
            )
        }
        guard lock.file == nil || lock.file != output else {
            throw ValidationError("--lock and -o name the same file")
        }
        guard output != "" else { throw ValidationError("-o takes the name of a file") }
        guard output != "-" else { throw ValidationError("A bundle is a file; it is not written to stdout") }
    }

    private var wanted: WantedImages {
        WantedImages(
            list: { try images.list(ignoringUnparsed: unparsed.areIgnored) },
            areEmpty: images.areEmpty,
            selection: selection,
            lock: lock,
            retry: retry
        )
    }

    /// Refuses what is about registries where images come from files.
    private func checkFileOptions() throws {
        let refused = [
            (!platforms.platforms.isEmpty, "-p"), (lock.file != nil, "--lock"), (retry.file != nil, "--retry-from"),
            (!signatures.verifyKey.isEmpty, "--verify-key"), (foreign != nil, "--foreign"), (!reuse.isEmpty, "--reuse"),
            (!mirrors.mirrors.isEmpty, "--mirror"),
            (selection.choosesTags, "--tags-matching, --tags-semver or --newest"),
        ].first(where: \.0)
        guard let refused else { return }
        throw ValidationError("\(refused.1) is about images from registries; with --from they are taken as they are")
    }

    func run() async throws {
        try await report.run("bundle") { progress in
            let locked = try lock.read()
            try lock.checkFile()
            let list = try wanted.list(locked, failed: try retry.report(of: "bundle")?.missingImages())
            var connections = try connection.options(logger: report.logger, for: list.registries)
            ranges.apply(to: &connections)
            try mirrors.apply(to: &connections)
            let synchronizer = Synchronizer(
                connections: connections,
                reading: try files.reading.options(),
                progress: progress
            )
            let options = try options(locked)
            guard files.from.isEmpty else { return try await bundleFiles(list, synchronizer, options) }
            let (references, notes) = try await wanted.references(of: list, locked, synchronizer)
            var report =
                if let output, !dryRun {
                    try await synchronizer.bundle(references, to: output, options: options)
                } else {
                    try await synchronizer.plan(references, options: options)
                }
            report.notes = notes + report.notes
            try lock.write(&report, options: options)
            return report
        }
    }

    private func options(_ locked: BundleLock?) throws -> Synchronizer.Options {
        var options = Synchronizer.Options()
        options.keepGoing = keepGoing
        options.replacesExisting = force
        options.refreshes = refresh
        options.includesReferrers = !noReferrers
        options.reusedBundles = reuse
        options.foreignLayers = foreign ?? .skip
        options.signaturePolicy = try signatures.policy()
        platforms.apply(to: &options)
        locked?.apply(to: &options)
        return options
    }

    private func bundleFiles(
        _ list: ImageList,
        _ synchronizer: Synchronizer,
        _ options: Synchronizer.Options
    ) async throws -> Report {
        // With neither tag nor digest all of a repository is meant.
        let references = images.areEmpty ? [] : try list.checkedEntries().map(\.wholeReference)
        let excluded = try selection.selection().excluded
        var report =
            if let output, !dryRun {
                try await synchronizer.bundle(
                    references,
                    from: files.from,
                    excluding: excluded,
                    to: output,
                    options: options
                )
            } else {
                try await synchronizer.plan(references, from: files.from, excluding: excluded, options: options)
            }
        report.notes = list.notes + report.notes
        return report
    }
}

/// The files that images are taken from.
struct FileSourceArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Take the images, or those that are named, from this file and not from registries: a bundle, an OCI layout in a \
            tar file or a directory, an archive of docker save. Repeatable.
            """,
            valueName: "file"
        ),
        completion: .file()
    )
    var from: [String] = []

    @OptionGroup var reading: ReadingArguments

    func validate() throws {
        guard !from.isEmpty || (reading.spool == nil && reading.name == nil) else {
            throw ValidationError("--spool and --name are about the file of --from; give it as well")
        }
    }
}
