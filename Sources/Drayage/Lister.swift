import ImageLayout
import RegistryClient

/// Says what a bundle or a registry holds.
public struct Lister: Sendable {
    private let connections: ConnectionOptions
    private let reading: ReadingOptions
    private let progress: ProgressHandler

    /// Makes a lister.
    ///
    /// - Parameters:
    ///   - connections: how a registry is reached.
    ///   - reading: how a bundle is read.
    ///   - progress: hears when that takes its time.
    public init(
        connections: ConnectionOptions = .init(),
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) {
        self.connections = connections
        self.reading = reading
        self.progress = progress
    }

    /// Lists the images of a bundle with their platforms, sizes and digests.
    ///
    /// - Throws: `LayoutError`, and ``DrayageError`` where the bundle is damaged.
    public func list(bundle path: String) async throws -> Report {
        let reader = try await reading.open(path, progress: progress)
        return try await blocking {
            try reader.requireSound()
            let graph = ImageGraph(of: reader)
            var report = Report(command: "list")
            report.bundle = path
            report.bundleByteCount = reader.byteCount
            report.notes = reader.formNotes
            let referrers = ReferrerGraph(reader.referrers, graph: graph)
            let totals = Eager { reader.blobTotals }
            let images = reader.images.concurrentMap { image in
                Result {
                    var entry = Report.Image(describing: image, in: graph, status: .present)
                    entry.referrerCount = referrers.referrers(of: image).manifestCount
                    entry.platforms = try entry.platforms ?? reader.platform(of: image.descriptor.digest).map { [$0] }
                    return entry
                }
            }
            report.images = try images.map { try $0.get() }
            report.totals = Report.Totals(blobCount: totals.value.count, byteCount: totals.value.byteCount)
            return report
        }
    }

    /// Lists the repositories of a registry with their tags; with a prefix in the target, of that repository alone.
    ///
    /// - Throws: `RegistryError`.
    public func list(target: RegistryTarget) async throws -> Report {
        var connections = connections
        connections.setScheme(of: target)
        return try await RegistryClient.withClient(connections.clientConfiguration(for: [target.registry])) { client in
            var report = Report(command: "list")
            report.target = target.description
            let paths = try await paths(in: target, client: client)
            let found = try await collectConcurrently(paths, limit: connections.parallelism) { path in
                (path, try await tags(of: path, in: target, client: client))
            }
            report.repositories = []
            for (path, result) in found.sorted(by: { $0.0 < $1.0 }) {
                switch result {
                case .success(let tags): report.repositories?.append(.init(repository: path, tags: tags))
                case .failure(let error): report.failures.append(.init(subject: path, error: error))
                }
            }
            report.outcome = Report.Outcome(failures: report.failures.count, of: found.count)
            report.totals = Report.Totals()
            report.totals?.requestCount = client.requestCount
            return report
        }
    }

    /// The tags of one repository; one that cannot be listed does not hide the others.
    private func tags(
        of path: String,
        in target: RegistryTarget,
        client: RegistryClient
    ) async throws -> Result<[String], any Error> {
        do {
            return .success(try await client.tags(of: try Repository(registry: target.registry, path: path)))
        } catch let error as RegistryError where error.code == .notFound && target.prefix == nil {
            // A catalog also names repositories that have been emptied.
            return .success([])
        } catch let error as RegistryError where error.concernsWholeRegistry {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch let error as ReferenceError {
            return .failure(DrayageError(.other, "listing the tags of \(target.registry)/\(path)", underlying: error))
        } catch {
            return .failure(error)
        }
    }

    private func paths(in target: RegistryTarget, client: RegistryClient) async throws -> [String] {
        if let path = target.prefix {
            return [try Reference(parsing: "\(target.registry)/\(path)").repository.path]
        }
        do {
            return try await client.repositories(of: target.registry)
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            throw DrayageError(
                .other,
                "\(target.registry) does not say which repositories it has; name one: \(target.registry)/REPOSITORY",
                underlying: error
            )
        }
    }
}

extension LayoutReader {
    /// The platform that a single image's config names, nil where there is no such config.
    fileprivate func platform(of top: Digest) throws -> String? {
        guard case .manifest(let manifest) = documents[top]?.content, manifest.config.mediaType.isImageConfig else {
            return nil
        }
        let bytes = try bytes(of: manifest.config.digest, limit: ImageConfig.byteLimit)
        // A config is the image's own business: one that says nothing of a platform is no error of the bundle.
        return ImageConfig.platform(in: bytes)?.description
    }
}
