import Glibc
import RegistryDirectory
import Synchronization

/// A storage directory that is pruned while no registry runs on it: locked as long as this value.
final class PrunedStorage: PrunedRegistry {
    let name: String
    let paths: RequiredPaths
    let selected: Set<RepositoryPath>? = nil
    let directory: RegistryDirectory
    private let grace: Duration?
    private let readsAges: Bool
    let progress: ProgressHandler
    /// What is known of manifests, which never change.
    private let known = Mutex<[Digest: ManifestFacts]>([:])
    /// The repositories in which empty directories may be removed: what a prune that was killed has left.
    let tidied = Mutex<Set<RepositoryPath>>([])

    /// Opens and locks a directory.
    ///
    /// - Throws: `DirectoryError` where it is no registry's, or is in use.
    init(
        path: String,
        mapping: PathMapping,
        options: Pruner.Options,
        requirement: PruneRequirement?,
        progress: @escaping ProgressHandler
    ) async throws {
        let access: RegistryDirectory.Access = options.isDryRun ? .readOnly : .readWrite
        directory = try await blocking { try RegistryDirectory(path: path, access: access) }
        name = try Self.absolute(path)
        paths = RequiredPaths(mapping: mapping, registry: nil)
        grace = options.isDryRun ? nil : options.grace
        readsAges = requirement?.newestCount != nil
        self.progress = progress
    }

    func contents() async throws -> RegistryContents {
        try await blocking { [self] in
            let survey = try survey()
            try checkBlobs(survey)
            var contents = RegistryContents(isStorage: true)
            contents.blobs = survey.blobs
            let uploads = Dictionary(grouping: survey.uploads, by: \.repository)
            for found in survey.repositories {
                var repository = try repository(found)
                repository.uploadCount = uploads[found.path]?.count ?? 0
                contents.repositories.append(repository)
            }
            try pin(survey, &contents)
            let certain = contents.repositories.filter { $0.damage.isEmpty && $0.isLeftAlone == nil }.map(\.path)
            tidied.withLock { $0 = Set(certain) }
            return contents
        }
    }

    /// Everything again: a registry that knows nothing of the lock may have been started meanwhile.
    func contents(concerning plan: PrunePlan) async throws -> RegistryContents { try await contents() }

    /// Gives the directory to others at once, not when the last thread has let go of it.
    func unlock() { directory.unlock() }

    /// The path that a plan calls the directory by, wherever it is applied.
    private static func absolute(_ path: String) throws -> String {
        guard let resolved = unsafe realpath(path, nil) else {
            throw DrayageError(.other, "\(path): \(unsafe String(cString: strerror(errno)).lowercased())")
        }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    // MARK: - Reading

    /// Looks at everything, and refuses where somebody may be writing.
    private func survey() throws -> DirectorySurvey {
        progress(.resolving(count: 0))
        let survey = try directory.survey { [progress] in progress(.resolved(name: $0.description)) }
        guard let grace, let youngest = survey.youngest else { return survey }
        let age = Duration.sinceEpoch - youngest.time
        guard age < grace else { return survey }
        let told = age < .zero ? "in the future" : "\(age.components.seconds) s ago"
        throw DrayageError(
            .other,
            """
            \(youngest.path) was written \(told), so a registry may be running on \(name), or an upload be in progress; \
            stop it and wait until nothing is younger than \(grace.components.seconds) s, or give --grace 0s
            """
        )
    }

    /// Refuses a storage without any blob whose repositories have links to some: it is not all there.
    private func checkBlobs(_ survey: DirectorySurvey) throws {
        guard survey.blobs.isEmpty else { return }
        let linked = survey.repositories.first { !$0.layers.isEmpty || !$0.danglingManifests.isEmpty }
        guard let linked else { return }
        throw DrayageError(
            .other,
            "\(name) holds no blob, but \(linked.path) has links to some: is the directory of the blobs mounted?"
        )
    }

    private func repository(_ found: RepositorySurvey) throws -> RegistryContents.Repository {
        var result = RegistryContents.Repository(path: found.path)
        result.tags = found.tags
        result.ghostTags = found.ghostTags
        result.layers = found.layers
        result.danglingManifests = found.danglingManifests
        result.damage = found.damage.map(\.description)
        for damage in found.damage {
            switch damage.subject {
            case .tag(let tag): result.damagedTags.insert(tag)
            case .manifest(let digest): result.damagedManifests.insert(digest)
            default: break
            }
        }
        if found.isAliased {
            result.isLeftAlone = "a symbolic link leads to it or to a part of it, so it is left as it is"
        }
        for digest in found.manifests {
            do {
                result.manifests[digest] = try facts(of: digest)
            } catch {
                result.damagedManifests.insert(digest)
                result.damage.append("\(found.path)@\(digest): \(error)")
            }
        }
        if readsAges { result.spreadTimes() }
        return result
    }

    private func facts(of digest: Digest) throws -> ManifestFacts {
        if let facts = known.withLock({ $0[digest] }) { return facts }
        guard let bytes = try directory.manifestBytes(digest) else {
            throw DrayageError(.unverified, "its bytes went away while they were read")
        }
        var facts = try ManifestFacts(parsing: bytes)
        if readsAges, facts.created == nil, let config = facts.config {
            // Nothing depends on it but which images are the newest, and what does not say its time stays.
            facts.created = (try? directory.manifestBytes(config)).flatMap { $0 }.flatMap(
                ManifestFacts.created(inConfig:)
            )
        }
        known.withLock { $0[digest] = facts }
        return facts
    }

    /// Pins what somebody needs whom nobody can serve, or all, where not even that can be known.
    private func pin(_ survey: DirectorySurvey, _ contents: inout RegistryContents) throws {
        for foreign in survey.foreign {
            contents.pinnedBlobs.formUnion(foreign.digests)
            for digest in foreign.digests {
                // Most are layers, which are no manifests.
                guard let facts = try? facts(of: digest) else { continue }
                contents.pinnedBlobs.formUnion(facts.needs.map(\.digest))
            }
        }
        for repository in survey.repositories {
            for case .layer(let digest) in repository.damage.map(\.subject) { contents.pinnedBlobs.insert(digest) }
        }
        let damage = survey.damage + survey.foreign.flatMap(\.damage)
        let unlisted = survey.repositories.flatMap(\.damage).filter { $0.subject == .directory }
        guard !damage.isEmpty || !unlisted.isEmpty else { return }
        contents.pinnedBlobs.formUnion(survey.blobs.keys)
        contents.isComplete = false
        contents.problems = damage.map { Report.Failure(subject: name, message: "\($0)", exitCode: .failed) }
    }
}
