import ArgumentParser
import Drayage

/// `drayage copy`: images go from their registries to another.
struct CopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copy images from their registries to another, with nothing in between on disk.",
        usage: "drayage copy [<options>] [<reference> ...] <target>",
        discussion: """
            What bundle and push would do, where both sides can be reached: each blob goes from one connection to the \
            other, once, and within one registry it is mounted. Images get the names that push would give them. What \
            the target has under such a name is skipped; --force looks up what tags mean now, and overwrites.

            Example:

              drayage copy -f images.txt registry.site:5000
              drayage copy alpine:3.20 nginx:1.27 registry.site:5000/mirror
            """
    )

    @Argument(help: ArgumentHelp("References to images, and the registry that gets them.", valueName: "reference"))
    var arguments: [String] = []

    @OptionGroup var lists: ListFileArguments
    @OptionGroup var unparsed: UnparsedArguments
    @OptionGroup var selection: SelectionArguments
    @OptionGroup var mapping: MappingArguments
    @OptionGroup var platforms: PlatformArguments
    @OptionGroup var signatures: SignatureArguments
    @OptionGroup var lock: LockArguments

    @Flag(help: "Copy what the target has a name of as well, as it is now.")
    var force = false

    @Flag(help: "Leave behind what refers to the images: signatures, attestations, SBOMs.")
    var noReferrers = false

    @Flag(help: "Print what would be done, and do nothing.")
    var dryRun = false

    @OptionGroup var mirrors: MirrorArguments
    @OptionGroup var retry: RetryArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    private var target: String { arguments.last ?? "" }
    private var references: [String] { Array(arguments.dropLast()) }
    private var wanted: WantedImages {
        WantedImages(
            list: { try lists.list(references, ignoringUnparsed: unparsed.areIgnored) },
            areEmpty: references.isEmpty && lists.file.isEmpty,
            selection: selection,
            lock: lock,
            retry: retry
        )
    }

    func validate() throws {
        guard !arguments.isEmpty else { throw ValidationError("Missing expected argument '<target>'") }
        guard !connection.identity.readsStandardInput || !lists.file.contains("-") else {
            throw ValidationError("Stdin holds a secret, so it cannot hold a list as well: -f -")
        }
        try wanted.validate()
        guard lock.file == nil || lock.isLocked else {
            throw ValidationError("a lock is written by bundle, also with --dry-run; copy takes --lock with --locked")
        }
        guard !lock.isLocked || (platforms.platforms.isEmpty && !noReferrers) else {
            throw ValidationError("--locked copies what the lock says; -p and --no-referrers do not go with it")
        }
    }

    func run() async throws {
        try await report.run("copy") { progress in
            let mapping = try mapping.mapping(to: target)
            let locked = try lock.read()
            var options = Synchronizer.Options()
            options.replacesExisting = force
            options.includesReferrers = !noReferrers
            options.signaturePolicy = try signatures.policy()
            platforms.apply(to: &options)
            locked?.apply(to: &options)
            let failed = try retry.report(of: "copy")?.uncopiedImages(to: mapping.target)
            let list = try wanted.list(locked, failed: failed)
            let registries = list.registries.union([mapping.target.registry])
            var connections = try connection.options(logger: report.logger, for: registries)
            try mirrors.apply(to: &connections)
            let synchronizer = Synchronizer(connections: connections, progress: progress)
            let (references, notes) = try await wanted.references(of: list, locked, synchronizer)
            var report = try await synchronizer.copy(references, to: mapping, options: options, isDryRun: dryRun)
            report.notes = notes + report.notes
            return report
        }
    }
}
