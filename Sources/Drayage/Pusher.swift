import ImageLayout
import RegistryClient

/// Replays a bundle into a registry, straight from the file.
///
/// Blobs first, each once over all images; then the manifests beneath, by digest, children before parents; then the
/// names, last. A tag appears only when everything beneath it is there.
public struct Pusher: Sendable {
    /// What happens to a tag that has another digest in the target.
    public enum ExistingTagPolicy: String, Sendable, CaseIterable {
        case overwrite
        case skip
        case fail
    }

    /// How a bundle is replayed.
    public struct Options: Sendable {
        /// What happens to a tag that has another digest.
        public var onExisting = ExistingTagPolicy.overwrite
        /// Whether only the plan is made.
        public var isDryRun = false
        /// The images that are pushed, by their names in the bundle; nil for all.
        public var images: Set<String>?

        /// The defaults: tags are overwritten.
        public init() {}
    }

    private let connections: ConnectionOptions
    private let progress: ProgressHandler

    /// Makes a pusher.
    ///
    /// - Parameters:
    ///   - connections: how the registry is reached.
    ///   - progress: hears of each step.
    public init(connections: ConnectionOptions = .init(), progress: @escaping ProgressHandler = { _ in }) {
        self.connections = connections
        self.progress = progress
    }

    /// Replays a bundle.
    ///
    /// - Returns: the report; images that failed are in it, each with its cause.
    /// - Throws: ``DrayageError`` for the plan, `LayoutError` for the file, `CancellationError`.
    public func push(bundle path: String, to mapping: NameMapping, options: Options = .init()) async throws -> Report {
        let reader = try await blocking { try LayoutReader(path: path) }
        try reader.requireSound()
        var images = try PushPlan.images(of: reader, mapping: mapping)
        if let names = options.images {
            if let name = names.subtracting(images.map(\.image.name)).min() {
                throw DrayageError(.usage, "\(path) holds no image \(name.printable)")
            }
            images.removeAll { !names.contains($0.image.name) }
        }
        var connections = connections
        connections.setScheme(of: mapping.target)
        let configuration = try connections.clientConfiguration(for: [mapping.target.registry], progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            progress(.resolving(count: images.count))
            images = try await decideActions(images, policy: options.onExisting, client: client)
            let graph = ImageGraph(documents: reader.documents)
            let blobs = try await PushPlan.blobs(for: images, graph: graph, limit: connections.parallelism) {
                try await has($0, in: $1, client: client)
            }
            let plan = PushPlan(images: images, blobs: blobs.moved, present: blobs.present)
            var outcome = PushReplay.Outcome()
            if !options.isDryRun {
                let replay = PushReplay(
                    plan: plan,
                    graph: graph,
                    reader: reader,
                    client: client,
                    parallelism: connections.parallelism,
                    progress: progress
                )
                outcome = try await replay.run()
            }
            var report = Report(pushing: plan, graph: graph, outcome: options.isDryRun ? nil : outcome)
            report.bundle = path
            report.bundleByteCount = reader.byteCount
            report.target = mapping.target.description
            report.unnamedCount = reader.unnamed.isEmpty ? nil : reader.unnamed.count
            report.totals?.requestCount = client.requestCount
            return report
        }
    }

    private func decideActions(
        _ images: [PushPlan.Image],
        policy: ExistingTagPolicy,
        client: RegistryClient
    ) async throws -> [PushPlan.Image] {
        let answers = try await collectConcurrently(images.indices, limit: connections.parallelism) { index in
            (index, try await existingDigest(of: images[index], client: client))
        }
        var result = images
        var conflicts: [String] = []
        for (index, answer) in answers {
            let image = images[index]
            switch answer {
            case .failure(let error):
                result[index].action = .fail
                result[index].failure = error
                progress(.imageFailed(name: image.name, message: error.description))
            case .success(nil):
                break
            case .success(image.image.descriptor.digest):
                result[index].action = .upToDate
            case .success(let digest?):
                result[index].action = policy == .overwrite ? .overwrite(digest) : .skip(digest)
                conflicts.append(
                    "\(image.name) exists with the digest \(digest), the bundle has \(image.image.descriptor.digest)"
                )
            }
        }
        guard policy != .fail || conflicts.isEmpty else {
            throw DrayageError(.tagExists, conflicts.sorted().joined(separator: "\n"))
        }
        return result
    }

    /// Whether the target has a blob.
    ///
    /// Where it will not say, the upload will tell why.
    private func has(_ blob: Descriptor, in repository: Repository, client: RegistryClient) async throws -> Bool {
        do {
            return try await client.hasBlob(blob, in: repository, for: .push)
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            return false
        }
    }

    /// What a name has in the target, nil where it is free.
    ///
    /// - Throws: `RegistryError` where no other image would fare better, `CancellationError`.
    private func existingDigest(
        of image: PushPlan.Image,
        client: RegistryClient
    ) async throws -> Result<Digest?, RegistryError> {
        do {
            return .success(try await client.headManifest(image.target, in: image.repository, for: .push))
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            return .failure(error)
        }
    }
}

extension LayoutReader {
    /// Refuses a bundle in which something is missing or damaged.
    ///
    /// - Throws: ``DrayageError`` with `unverified`.
    func requireSound() throws {
        guard let problem = problems.first else { return }
        let more = problems.count > 1 ? " (and \(problems.count - 1) more; drayage verify lists them)" : ""
        throw DrayageError(.unverified, "\(problem)\(more)")
    }
}

extension LayoutImage {
    /// What an image of a bundle is called.
    ///
    /// - Throws: ``DrayageError`` where its name names no repository, or is no reference.
    func reference(in path: String) throws -> Reference {
        guard namesRepository else {
            throw DrayageError(.other, "\(path): the image \"\(name)\" has a tag for a name and no repository")
        }
        do {
            return try Reference(parsing: name)
        } catch {
            throw DrayageError(.other, "naming an image of \(path)", underlying: error)
        }
    }
}
