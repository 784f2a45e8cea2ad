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
        /// Whether what refers to the images is put as well.
        public var includesReferrers = true
        /// Whether only the plan is made.
        public var isDryRun = false
        /// The images that are pushed, by their names in the bundle; nil for all.
        public var images: Set<String>?

        /// The defaults: tags are overwritten.
        public init() {}
    }

    private let connections: ConnectionOptions
    private let reading: ReadingOptions
    private let progress: ProgressHandler

    /// Makes a pusher.
    ///
    /// - Parameters:
    ///   - connections: how the registry is reached.
    ///   - reading: how the bundle is read.
    ///   - progress: hears of each step.
    public init(
        connections: ConnectionOptions = .init(),
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) {
        self.connections = connections
        self.reading = reading
        self.progress = progress
    }

    /// Replays a bundle.
    ///
    /// - Returns: the report; images that failed are in it, each with its cause.
    /// - Throws: ``DrayageError`` for the plan, `LayoutError` for the file, `CancellationError`.
    public func push(bundle path: String, to mapping: NameMapping, options: Options = .init()) async throws -> Report {
        let reader = try await reading.open(path, progress: progress)
        try reader.requireSound()
        let all = try PushPlan.images(of: reader, mapping: mapping)
        var wanted = all
        if let names = options.images {
            if let name = names.subtracting(wanted.map(\.image.name)).min() {
                throw DrayageError(.usage, "\(path) holds no image \(name.printable)")
            }
            wanted.removeAll { !names.contains($0.image.name) }
        }
        var connections = connections
        connections.setScheme(of: mapping.target)
        let configuration = try connections.clientConfiguration(for: [mapping.target.registry], progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            let graph = ImageGraph(of: reader)
            let planner = PushPlanner(
                graph: graph,
                client: client,
                parallelism: connections.parallelism,
                progress: progress
            )
            var plan = try await planner.plan(wanted, options: options)
            plan.notes = reader.formNotes + plan.notes
            var outcome = PushReplay.Outcome()
            if !options.isDryRun {
                let replay = PushReplay(
                    plan: plan,
                    graph: graph,
                    source: .bundle(reader),
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
            report.unnamedCount = reader.strayCount(besides: options.includesReferrers ? all : [])
            report.totals?.requestCount = client.requestCount
            return report
        }
    }
}

extension LayoutReader {
    /// How many entries without a name refer to none of the images; nil where there is none.
    func strayCount(besides images: [PushPlan.Image]) -> Int? {
        let placed = Set(images.flatMap(\.referrers).map(\.descriptor.digest))
        let count = unnamed.count { !placed.contains($0.digest) }
        return count == 0 ? nil : count
    }

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
            throw DrayageError(
                .other,
                "\(path): the image \"\(name)\" has a tag for a name and no repository; --name says which it is"
            )
        }
        do {
            return try Reference(parsing: name)
        } catch {
            throw DrayageError(.other, "naming an image of \(path)", underlying: error)
        }
    }
}
