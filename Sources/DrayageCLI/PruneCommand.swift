import ArgumentParser
import Drayage
import FoundationEssentials
import Synchronization

/// `drayage prune`: a registry is cut down to what is required.
struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Cut a registry down to what is required.",
        discussion: """
            What is required stays, with all that is beneath it, all that refers to it (signatures, attestations, bills of \
            materials) and every blob of these; the rest goes. A reference without tag and digest requires every tag. \
            Required images are found under the names that push gives them, under their own, and under the registry's.

            TARGET is a registry, with a prefix if only what is beneath it may be touched, or, where it begins with /, ./ \
            or ../, the storage directory of a registry that is not running. Over the API only links go, and the space \
            comes back when the registry collects its garbage; of a directory the blobs go too.

            Without --yes it shows the plan and asks.

            Example:

              drayage prune registry.site:5000 -f required.txt --dry-run
              drayage prune registry.site:5000/mirror --keep bundle.tar --keep-newest 3
              drayage prune /var/lib/registry -f required.txt --plan plan.json
              drayage prune /var/lib/registry --apply plan.json --yes
            """
    )

    @Argument(help: "The registry, or the path of a storage directory.", completion: .directory)
    var target: String

    @OptionGroup(title: "What stays") var images: ImageListArguments
    @OptionGroup(title: "What stays") var rules: PruneRuleArguments
    @OptionGroup(title: "How it is done") var execution: PruneExecutionArguments
    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        let readers = [
            connection.identity.readsStandardInput ? "the credentials" : nil, images.file.contains("-") ? "-f -" : nil,
        ]
        .compactMap(\.self)
        guard readers.count < 2 else { throw ValidationError("Stdin cannot hold both: -f - and --password-stdin") }
        try execution.check(
            requires: !images.references.isEmpty || !images.file.isEmpty || rules.areGiven,
            limits: rules.limitsAreGiven
        )
        guard rules.prefix == nil || isDirectory else {
            throw ValidationError("--prefix is for a directory; after a registry's host it is a part of TARGET")
        }
        guard rules.repository.isEmpty || !isDirectory else {
            throw ValidationError("--repository is for a registry; a directory says itself what it holds")
        }
    }

    func run() async throws {
        let wasShown = Atomic(false)
        try await report.run("prune", printsText: !wasShown.load(ordering: .relaxed)) { progress in
            let (target, connections) = try resolve()
            let pruner = Pruner(connections: connections, progress: progress)
            let options = try execution.options(repositories: rules.repository)
            let approve: Pruner.Approval = { plan in
                try await ask(plan, wasShown: { wasShown.store(true, ordering: .relaxed) })
            }
            var result: Report
            if let plan = try execution.givenPlan() {
                result = try await pruner.apply(plan, to: target, options: options, approve: approve)
            } else {
                let requirement = try rules.requirement(images)
                result = try await pruner.prune(target, keeping: requirement, options: options, approve: approve)
            }
            if let file = execution.plan, let plan = result.plan, result.outcome != .failed {
                try PlanFile.write(plan, to: file)
            }
            return result
        }
    }

    private var isDirectory: Bool {
        ["/", "./", "../"].contains { target.hasPrefix($0) } || [".", ".."].contains(target)
    }

    private func resolve() throws -> (Pruner.Target, ConnectionOptions) {
        if isDirectory {
            let mapping = try PathMapping(prefix: rules.prefix, keepsHost: rules.keepHost)
            return (.directory(target, mapping), ConnectionOptions())
        }
        let mapping = NameMapping(target: try RegistryTarget(parsing: target), keepsHost: rules.keepHost)
        return (.registry(mapping), try connection.options(logger: report.logger, for: [mapping.target.registry]))
    }

    /// Shows a plan and asks for it, unless `--yes` has answered already.
    private func ask(_ plan: PrunePlan, wasShown: () -> Void) async throws -> Bool {
        guard !execution.yes else { return true }
        guard Prompt.isPossible else {
            throw ValidationError(
                "there is no terminal to ask on, so nothing was removed: give --yes, or look with --dry-run"
            )
        }
        let text = PruneText(plan)
        OutputStream.standardError.write(text.table(of: .remove, columns: OutputStream.standardError.columns))
        wasShown()
        let size = ByteText.size(plan.freedByteCount)
        return try await Prompt.confirm("Remove \(text.removal), in all \(size)? (\(text.staying)) [y/N] ")
    }
}

/// What stays, besides the images that are named.
struct PruneRuleArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("A bundle whose images stay. Repeatable.", valueName: "bundle"),
        completion: .file(extensions: ["tar"])
    )
    var keep: [String] = []

    @Option(help: ArgumentHelp("Keep the newest images of each repository, by their time of creation.", valueName: "n"))
    var keepNewest: Int?

    @Option(help: ArgumentHelp("Keep tags that match a regular expression anywhere. Repeatable.", valueName: "regex"))
    var keepTag: [String] = []

    @Option(
        help: ArgumentHelp(
            "Touch only repositories that match: * is any text without a slash, ** any. Repeatable.",
            valueName: "glob"
        ),
        transform: { try RepositoryGlob(parsing: $0) }
    )
    var only: [RepositoryGlob] = []

    @Option(
        help: ArgumentHelp("A repository of a registry that has no catalog. Repeatable.", valueName: "path"),
        transform: { try RepositoryPath(parsing: $0) }
    )
    var repository: [RepositoryPath] = []

    @Flag(help: "Expect images under the host that they came from, as push --keep-host puts them.")
    var keepHost = false

    @Option(
        help: ArgumentHelp("What goes before every path in a directory: nothing else is touched.", valueName: "path")
    )
    var prefix: String?

    var areGiven: Bool { !keep.isEmpty || keepNewest != nil || !keepTag.isEmpty }

    var limitsAreGiven: Bool { !only.isEmpty || !repository.isEmpty || keepHost || prefix != nil }

    /// What must stay.
    ///
    /// - Throws: `DrayageError` for a list that is empty or cannot be read, and for rules that are none.
    func requirement(_ images: ImageListArguments) throws -> PruneRequirement {
        var required = try images.entries().map { RequiredImage($0) }
        required += try keep.flatMap { try RequiredImage.images(ofBundle: $0) }
        return try PruneRequirement(
            images: required,
            newestCount: keepNewest,
            tagPatterns: keepTag,
            repositoryGlobs: only
        )
    }
}

/// How a prune is carried out.
struct PruneExecutionArguments: ParsableArguments {
    @Flag(help: "Print what would go and what stays, and why, and remove nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp("Write the plan to a file as JSON, and remove nothing.", valueName: "file"),
        completion: .file(extensions: ["json"])
    )
    var plan: String?

    @Option(
        help: ArgumentHelp("Carry out a plan from a file, and nothing else.", valueName: "file"),
        completion: .file(extensions: ["json"])
    )
    var apply: String?

    @OptionGroup var retry: RetryArguments

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Go on although required images are missing.")
    var allowMissing = false

    @Flag(help: "Go on although nothing would stay.")
    var allowEmpty = false

    @Option(
        help: ArgumentHelp(
            "How long nothing may have been written to a directory: 90s, 30m, 2h. 0s never waits.",
            valueName: "time"
        )
    )
    var grace = Interval(duration: .seconds(600))

    func check(requires isRequirementGiven: Bool, limits areLimitsGiven: Bool) throws {
        let plans = [
            plan.map { _ in "--plan" }, apply.map { _ in "--apply" }, retry.file.map { _ in "--retry-from" },
        ].compactMap(\.self)
        guard plans.count < 2 else { throw ValidationError("\(plans[0]) and \(plans[1]) exclude each other") }
        let isPlanGiven = apply != nil || retry.file != nil
        guard !isPlanGiven || !isRequirementGiven && !areLimitsGiven else {
            throw ValidationError("\(plans[0]) carries out what its file says; it takes no list of images and no rule")
        }
        guard isPlanGiven || isRequirementGiven else {
            throw ValidationError("Name what must stay: references, -f, --keep, --keep-newest or --keep-tag")
        }
    }

    /// The plan that is carried out; nil where one is made.
    func givenPlan() throws -> PrunePlan? {
        if let apply { return try PlanFile.read(apply) }
        return try retry.report(of: "prune")?.unfinishedPlan()
    }

    func options(repositories: [RepositoryPath]) throws -> Pruner.Options {
        var options = Pruner.Options()
        options.repositories = repositories
        options.isDryRun = dryRun || plan != nil
        options.allowsMissing = allowMissing
        options.allowsEmpty = allowEmpty
        options.grace = grace.duration
        return options
    }
}
