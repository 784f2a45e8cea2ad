import RegistryClient

/// A registry that is pruned over its API.
struct PrunedSite: PrunedRegistry {
    let name: String
    let paths: RequiredPaths
    private let reader: RegistryReader
    private let removal: RegistryRemoval
    let selected: Set<RepositoryPath>?
    /// Whether everything that the registry has is read.
    private let readsAll: Bool
    private let progress: ProgressHandler

    /// Prepares to read and to remove.
    ///
    /// - Throws: ``DrayageError`` with `usage` where a required image can have no name in the registry.
    init(
        client: RegistryClient,
        mapping: NameMapping,
        options: Pruner.Options,
        requirement: PruneRequirement?,
        parallelism: Int,
        progress: @escaping ProgressHandler
    ) throws {
        let paths = RequiredPaths(mapping: PathMapping(of: mapping), registry: mapping.target.registry)
        var selection = RegistryReader.Selection()
        selected = options.repositories.isEmpty ? nil : Set(options.repositories)
        selection.repositories = selected.map(Array.init)
        readsAll =
            selected == nil && mapping.target.prefix == nil && requirement?.repositoryGlobs.isEmpty ?? false
        if let requirement {
            selection.includes = { requirement.mayTouch($0) }
            selection.readsAges = requirement.newestCount != nil
            for image in requirement.images {
                guard let digest = image.reference.digest else { continue }
                for path in try paths.candidates(for: image) { selection.digests[path, default: []].insert(digest) }
            }
        }
        name = mapping.target.description
        self.paths = paths
        self.progress = progress
        reader = RegistryReader(
            client: client,
            target: mapping.target,
            selection: selection,
            parallelism: parallelism,
            progress: progress
        )
        removal = RegistryRemoval(
            client: client,
            registry: mapping.target.registry,
            parallelism: parallelism,
            progress: progress,
            conflicts: { [reader] planned in
                let contents = try await reader.read([planned.repository])
                return contents.problems.map(\.message) + contents.repositories.flatMap(planned.conflicts)
            }
        )
    }

    func contents() async throws -> RegistryContents {
        var contents = try await reader.read()
        contents.isComplete = contents.isComplete && readsAll
        return contents
    }

    func contents(concerning plan: PrunePlan) async throws -> RegistryContents {
        let contents = try await reader.read(plan.repositories.filter(\.isChanged).map(\.repository))
        // What cannot be read now cannot be compared with the plan.
        guard contents.problems.isEmpty else {
            throw DrayageError(.other, contents.problems.map(\.message).joined(separator: "\n"))
        }
        return contents
    }

    func remove(_ plan: PrunePlan) async throws -> PruneOutcome {
        progress(.removing(count: plan.removalCount))
        var outcome = try await removal.run(plan)
        // What part of it a failure has saved is not known.
        if outcome.failures.isEmpty { outcome.freedByteCount = plan.freedByteCount }
        return outcome
    }
}
