import RegistryClient
import RegistryDirectory

/// Cuts a registry down to what is required, and never takes anything from what is required.
///
/// A plan comes first: what is required, all that is beneath it, all that refers to it and their blobs stay, the rest
/// goes. Right before anything is removed the plan is held against the registry once more: whatever is there and not in
/// the plan must stay whole.
public struct Pruner: Sendable {
    /// What is pruned.
    public enum Target: Sendable {
        /// A registry, over its API: what follows the host limits what may be touched. Only links go; the registry frees
        /// the bytes when it collects its garbage.
        case registry(NameMapping)
        /// A storage directory in docker-distribution's layout, offline; the mapping's prefix limits what may be touched.
        case directory(String, PathMapping)
    }

    /// How it is done.
    public struct Options: Sendable {
        /// The repositories of a registry that has no catalog; empty asks the catalog.
        public var repositories: [RepositoryPath] = []
        /// Whether only the plan is made.
        public var isDryRun = false
        /// Whether required images may be missing.
        public var allowsMissing = false
        /// Whether nothing at all may stay.
        public var allowsEmpty = false
        /// How long nothing may have been written to a storage directory: what is younger may be part of a push.
        public var grace = Duration.seconds(600)

        /// The defaults: all that is required must be there, and something must stay.
        public init() {}
    }

    /// Says whether a plan may be carried out.
    ///
    /// It is not asked where nothing goes.
    public typealias Approval = @Sendable (PrunePlan) async throws -> Bool

    private let connections: ConnectionOptions
    private let progress: ProgressHandler

    /// Makes a pruner.
    ///
    /// - Parameters:
    ///   - connections: how the registry is reached.
    ///   - progress: hears of each step.
    public init(connections: ConnectionOptions = .init(), progress: @escaping ProgressHandler = { _ in }) {
        self.connections = connections
        self.progress = progress
    }

    /// Plans, and carries the plan out if it is approved.
    ///
    /// - Parameters:
    ///   - target: what is pruned.
    ///   - requirement: what must stay.
    ///   - options: how it is done.
    ///   - approve: says whether the plan may be carried out.
    /// - Returns: the report, with the plan. Where required images are missing or everything would go, and that is not
    ///   allowed, it says so and nothing was removed.
    /// - Throws: ``DrayageError``, `RegistryError`, `DirectoryError` where nothing could be planned or removed,
    ///   `CancellationError`.
    public func prune(
        _ target: Target,
        keeping requirement: PruneRequirement,
        options: Options = .init(),
        approve: @escaping Approval
    ) async throws -> Report {
        try await withRegistry(target, options: options, requirement: requirement) { registry in
            let contents = try await registry.contents()
            let plan = try registry.planner(requirement).plan(for: contents)
            var report = Report(pruning: plan)
            report.refuse(options)
            if !options.isDryRun, report.outcome != .failed {
                try await carryOut(plan, on: registry, &report, approve: approve)
            }
            return report
        }
    }

    /// Carries out a plan that was made earlier, and nothing else.
    ///
    /// - Parameters:
    ///   - plan: the plan.
    ///   - target: what it was made for.
    ///   - options: how it is done.
    ///   - approve: says whether the plan may be carried out.
    /// - Returns: the report.
    /// - Throws: ``DrayageError`` where the plan is for another target, or the registry has changed so that something
    ///   that stays would lose a part; else as ``prune(_:keeping:options:approve:)``.
    public func apply(
        _ plan: PrunePlan,
        to target: Target,
        options: Options = .init(),
        approve: @escaping Approval
    ) async throws -> Report {
        var options = options
        options.repositories = plan.repositories.filter(\.isChanged).map(\.repository)
        return try await withRegistry(target, options: options, requirement: nil) { registry in
            try plan.check(for: registry.name)
            var report = Report(pruning: plan)
            report.refuse(options)
            if options.isDryRun { try await check(plan, on: registry) }
            if !options.isDryRun, report.outcome != .failed {
                try await carryOut(plan, on: registry, &report, approve: approve)
            }
            return report
        }
    }

    private func carryOut(
        _ plan: PrunePlan,
        on registry: any PrunedRegistry,
        _ report: inout Report,
        approve: Approval
    ) async throws {
        // Then there may be empty directories, which nobody has to be asked about.
        guard !plan.isEmpty else { return report.conclude(try await registry.remove(plan)) }
        progress(.awaitingApproval)
        guard try await approve(plan) else {
            throw DrayageError(.other, "it was not confirmed, so nothing was removed")
        }
        try await check(plan, on: registry)
        report.conclude(try await registry.remove(plan))
    }

    /// Holds a plan against the registry as it is now.
    private func check(_ plan: PrunePlan, on registry: any PrunedRegistry) async throws {
        let conflicts = plan.conflicts(with: try await registry.contents(concerning: plan))
        guard conflicts.isEmpty else {
            let reason = "\(registry.name) has changed since the plan was made, so nothing was removed; plan again"
            throw DrayageError(.other, ([reason] + conflicts.sorted()).joined(separator: "\n"))
        }
    }

    private func withRegistry(
        _ target: Target,
        options: Options,
        requirement: PruneRequirement?,
        _ body: (any PrunedRegistry) async throws -> Report
    ) async throws -> Report {
        switch target {
        case .directory(let path, let mapping):
            let storage = try await PrunedStorage(
                path: path,
                mapping: mapping,
                options: options,
                requirement: requirement,
                progress: progress
            )
            defer { storage.unlock() }
            return try await body(storage)
        case .registry(let mapping):
            var connections = connections
            connections.setScheme(of: mapping.target)
            let configuration = try connections.clientConfiguration(for: [mapping.target.registry], progress: progress)
            return try await RegistryClient.withClient(configuration) { client in
                let registry = try PrunedSite(
                    client: client,
                    mapping: mapping,
                    options: options,
                    requirement: requirement,
                    parallelism: connections.parallelism,
                    progress: progress
                )
                var report = try await body(registry)
                report.totals = Report.Totals()
                report.totals?.requestCount = client.requestCount
                return report
            }
        }
    }
}

/// One of the two ways to read a registry and to take from it.
protocol PrunedRegistry: Sendable {
    /// What plans call it.
    var name: String { get }
    /// How images are named in it.
    var paths: RequiredPaths { get }
    /// The repositories to which it is limited; nil for all.
    var selected: Set<RepositoryPath>? { get }
    /// Reads it.
    func contents() async throws -> RegistryContents
    /// Reads what a plan changes, as it is now.
    func contents(concerning plan: PrunePlan) async throws -> RegistryContents
    /// Carries a plan out.
    func remove(_ plan: PrunePlan) async throws -> PruneOutcome
}

extension PrunedRegistry {
    fileprivate func planner(_ requirement: PruneRequirement) -> PrunePlanner {
        PrunePlanner(requirement: requirement, paths: paths, target: name, selected: selected)
    }
}
