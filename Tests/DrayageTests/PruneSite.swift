import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

/// The ways in which a registry is pruned.
enum PruneWay: CaseIterable, Sendable {
    /// Its storage directory, while nothing runs on it.
    case directory
    /// The API of our own registry.
    case embedded
    /// The API of Debian's `docker-registry`.
    case docker
}

/// A site's registry: images are put into its storage, it is pruned in one of the ways, and what became of it is seen by
/// pulling from a real `docker-registry` on that storage.
struct PruneSite {
    let way: PruneWay
    let storage: RegistryStorage
    var builder: ImageBuilder
    private let workshop: Workshop

    init(_ way: PruneWay, seed: UInt64 = 7) throws {
        self.way = way
        storage = try RegistryStorage(in: ScratchDirectory(inMemory: true))
        builder = ImageBuilder(seed: seed)
        workshop = try Workshop()
    }

    /// Adds an image, under a tag or by its digest alone.
    @discardableResult
    func add(_ image: TestImage, _ repository: String, tag: String? = nil) throws -> TestImage {
        try storage.add(image, repository: repository, tag: tag)
        return image
    }

    /// Makes and adds a small image.
    @discardableResult
    mutating func addImage(_ repository: String, tag: String? = nil, sharing layers: [TestBlob] = []) throws
        -> TestImage
    {
        try add(try builder.image(layers: [builder.layer(byteCount: 100)] + layers), repository, tag: tag)
    }

    /// Prunes, with a mind to carry every plan out unless told otherwise.
    func prune(
        _ required: [String],
        _ change: (inout Pruner.Options) -> Void = { _ in },
        approve: @escaping Pruner.Approval = { _ in true }
    ) async throws -> Report {
        try await prune(keeping: try .of(required), change, approve: approve)
    }

    func prune(
        keeping requirement: PruneRequirement,
        _ change: (inout Pruner.Options) -> Void = { _ in },
        approve: @escaping Pruner.Approval = { _ in true }
    ) async throws -> Report {
        var options = options
        change(&options)
        return try await withTarget { target, pruner in
            try await pruner.prune(target, keeping: requirement, options: options, approve: approve)
        }
    }

    /// Carries a plan out.
    func apply(_ plan: PrunePlan) async throws -> Report {
        try await withTarget(address: plan.target) { target, pruner in
            try await pruner.apply(plan, to: target, options: options, approve: { _ in true })
        }
    }

    private var options: Pruner.Options {
        var options = Pruner.Options()
        // Everything was written a moment ago.
        options.grace = .zero
        return options
    }

    /// Runs on the directory, or on a registry that runs on it meanwhile.
    func withTarget<Result>(
        address: String? = nil,
        _ body: (Pruner.Target, Pruner) async throws -> Result
    ) async throws -> Result {
        let pruner = Pruner(connections: workshop.connections)
        guard way != .directory else { return try await body(.directory(storage.root, PathMapping()), pruner) }
        let registry = try await (way == .docker ? RegistryKind.docker : .embedded).start(on: storage)
        let mapping = NameMapping(target: try RegistryTarget(parsing: registry.address))
        let result = try await body(.registry(mapping), pruner)
        _ = try await registry.finish()
        return result
    }

    // MARK: - What became of it

    /// What must be there, and what must not.
    struct Expected {
        var kept: [(image: TestImage, repository: String, tag: String?)] = []
        var goneTags: [(repository: String, tag: String)] = []
        var goneManifests: [(image: TestImage, repository: String)] = []
        var goneRepositories: [String] = []
    }

    /// Pulls from a real registry on the storage.
    func expect(_ expected: Expected, _ location: SourceLocation = #_sourceLocation) async throws {
        let registry = try DockerRegistry(on: storage)
        defer { registry.stop() }
        let subject = RegistrySubject(registry.address)
        for item in expected.kept {
            try await subject.expectPulls(item.image, item.repository, tag: item.tag, location)
        }
        for item in expected.goneTags {
            let digest = try await subject.digest(of: item.tag, item.repository)
            #expect(digest == nil, "\(item.repository):\(item.tag)", sourceLocation: location)
        }
        for item in expected.goneManifests {
            let isThere = try await subject.has(item.image.digest, item.repository)
            #expect(!isThere, "\(item.repository)@\(item.image.digest)", sourceLocation: location)
            guard way == .directory else { continue }
            #expect(!storage.hasBlob(item.image.digest), sourceLocation: location)
        }
        // Over an API nothing can take a repository's name out of the catalog of a docker-registry.
        guard way == .directory else { return }
        for repository in expected.goneRepositories {
            #expect(!storage.repositories().contains(repository), sourceLocation: location)
            await #expect(sourceLocation: location) {
                try await subject.tags(of: repository)
            } throws: { ($0 as? RegistryError)?.code == .notFound }
        }
    }
}

extension RegistrySubject {
    fileprivate func tags(of path: String) async throws -> [String] {
        let repository = try Repository(registry: address, path: path)
        return try await withClient { try await $0.tags(of: repository) }
    }
}
