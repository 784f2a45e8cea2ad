import RegistryClient
import Synchronization

/// Reads what a registry holds through its API, and changes nothing.
///
/// It keeps what it has read of manifests, which never change: to read a repository again costs the list of its tags and
/// a small request for each of them.
final class RegistryReader: Sendable {
    /// What is read.
    struct Selection: Sendable {
        /// The repositories; nil asks the registry's catalog.
        var repositories: [RepositoryPath]?
        /// Whether a repository is read.
        var includes: @Sendable (RepositoryPath) -> Bool = { _ in true }
        /// Manifests that are looked for although no tag may point at them; they need not be there.
        var digests: [RepositoryPath: Set<Digest>] = [:]
        /// Whether images are asked when they were made, which costs a request for each.
        var readsAges = false
    }

    let client: RegistryClient
    let target: RegistryTarget
    let selection: Selection
    let parallelism: Int
    let known = KnownManifests()
    private let progress: ProgressHandler

    /// Prepares to read.
    ///
    /// - Parameters:
    ///   - client: the client.
    ///   - target: the registry; with a prefix only what is beneath it is read.
    ///   - selection: what of it is read.
    ///   - parallelism: how many repositories are read at once, and how many things of each; the client limits the
    ///     requests.
    ///   - progress: hears of each repository, by the first reading alone.
    init(
        client: RegistryClient,
        target: RegistryTarget,
        selection: Selection = Selection(),
        parallelism: Int,
        progress: @escaping ProgressHandler = { _ in }
    ) {
        self.client = client
        self.target = target
        self.selection = selection
        self.parallelism = parallelism
        self.progress = progress
    }

    /// Reads all that is selected.
    ///
    /// A repository that cannot be read is one of the problems of what was read.
    ///
    /// - Throws: ``DrayageError`` where the registry does not list its repositories, `RegistryError` where it cannot be
    ///   reached, or lets us read nothing, and `CancellationError`.
    func read() async throws -> RegistryContents {
        var problems: [Report.Failure] = []
        let paths = try await paths(&problems)
        progress(.resolving(count: paths.count))
        var contents = try await read(paths) { [progress] in progress(.resolved(name: $0.description)) }
        contents.problems = problems + contents.problems
        contents.isComplete = contents.isComplete && problems.isEmpty
        return contents
    }

    /// Reads some repositories, or reads them again, whether they are selected or not.
    ///
    /// A repository that is not there is an empty one, as it is to registries.
    ///
    /// - Throws: as ``read()``.
    func read(_ paths: [RepositoryPath]) async throws -> RegistryContents { try await read(paths) { _ in } }

    private func read(
        _ paths: [RepositoryPath],
        finished: @escaping @Sendable (RepositoryPath) -> Void
    ) async throws -> RegistryContents {
        let results = try await collectConcurrently(paths, limit: parallelism) { path in
            let result = try await self.result(for: path)
            finished(path)
            return (path, result)
        }
        var contents = RegistryContents(isStorage: false)
        var errors: [any Error] = []
        for (path, result) in results.sorted(by: { $0.0 < $1.0 }) {
            switch result {
            case .success(let repository): contents.repositories.append(repository)
            case .failure(let error):
                errors.append(error)
                contents.unreadable.insert(path)
                contents.isComplete = false
                contents.problems.append(Report.Failure(subject: path.description, error: error))
            }
        }
        // Where nothing may be read, it is not the repositories that are at fault.
        if let error = errors.first, errors.count == paths.count,
            errors.allSatisfy({ ExitStatus(of: $0) == .unauthorized })
        {
            throw error
        }
        return contents
    }

    private func result(
        for path: RepositoryPath
    ) async throws -> Result<RegistryContents.Repository, any Error> {
        do {
            return .success(try await contents(of: path))
        } catch {
            return .failure(try error.ofOneThing())
        }
    }

    // MARK: - Repositories

    /// The repositories that are selected, each once.
    private func paths(_ problems: inout [Report.Failure]) async throws -> [RepositoryPath] {
        var paths: Set<RepositoryPath> = []
        if let repositories = selection.repositories {
            paths = Set(repositories)
        } else {
            for name in try await catalog() {
                do {
                    paths.insert(try RepositoryPath(parsing: name))
                } catch  where isBeneathPrefix(name) {
                    let message = "a repository of \(target.registry) has a name that none can have: \(error)"
                    problems.append(Report.Failure(subject: name, message: message, exitCode: .failed))
                } catch {
                    // It would not have been read.
                    continue
                }
            }
        }
        return paths.filter { isBeneathPrefix($0.description) && selection.includes($0) }.sorted()
    }

    private func isBeneathPrefix(_ path: String) -> Bool {
        target.prefix.map { path == $0 || path.hasPrefix($0 + "/") } ?? true
    }

    private func catalog() async throws -> [String] {
        do {
            return try await client.repositories(of: target.registry)
        } catch let error as RegistryError where error.status != nil {
            throw DrayageError(
                .other,
                "\(target.registry) does not list its repositories; name them with --repository",
                underlying: error
            )
        }
    }
}

extension Error {
    /// This error, where it is about one thing and others may still be well.
    ///
    /// - Throws: itself, where it is about the registry or the end of the task.
    func ofOneThing() throws -> any Error {
        if self is CancellationError || (self as? RegistryError)?.concernsWholeRegistry ?? false { throw self }
        return self
    }
}
