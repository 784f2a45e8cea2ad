import OCI
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import Drayage

/// A registry that a test reads, and takes from, over its API.
struct RegistrySubject: Sendable {
    let address: String
    var connections = ConnectionOptions()

    init(_ address: String) {
        self.address = address
        // Whoever runs the tests may have credentials of their own.
        connections.environment = [:]
        // What fails here fails for good.
        connections.retryLimit = 0
    }

    func withClient<Result>(_ body: (RegistryClient) async throws -> Result) async throws -> Result {
        try await RegistryClient.withClient(connections.clientConfiguration(for: []), body)
    }

    func reader(
        _ client: RegistryClient,
        prefix: String = "",
        _ selection: RegistryReader.Selection = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) throws -> RegistryReader {
        let target = try RegistryTarget(parsing: address + prefix)
        return RegistryReader(
            client: client,
            target: target,
            selection: selection,
            parallelism: 4,
            progress: progress
        )
    }

    /// Reads once.
    func contents(prefix: String = "", _ selection: RegistryReader.Selection = .init()) async throws -> RegistryContents
    {
        try await withClient { try await reader($0, prefix: prefix, selection).read() }
    }

    /// Carries a plan out.
    func remove(_ plan: PrunePlan, progress: @escaping ProgressHandler = { _ in }) async throws -> PruneOutcome {
        try await withClient { client in
            try await RegistryRemoval(client: client, registry: address, parallelism: 4, progress: progress).run(plan)
        }
    }

    /// Expects an image to be pulled whole, under a tag or by its digest: every manifest, every config and every layer
    /// comes, and is what its digest says.
    func expectPulls(
        _ image: TestImage,
        _ path: String,
        tag: String? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        let repository = try Repository(registry: address, path: path)
        try await withClient { client in
            if let tag {
                let top = try await client.fetchManifest(.tag(Tag(parsing: tag)), in: repository)
                #expect(top.bytes == image.document.bytes, sourceLocation: location)
            }
            for document in image.documents {
                let fetched = try await client.fetchManifest(.digest(document.digest), in: repository)
                #expect(fetched.bytes == document.bytes, sourceLocation: location)
            }
            for blob in image.blobs {
                let received = Mutex<[UInt8]>([])
                try await client.fetchBlob(blob.descriptor, from: repository) { bytes, _ in
                    received.withLock { received in bytes.withUnsafeBytes { received += $0 } }
                }
                let bytes = try blob.bytes
                #expect(received.withLock { $0 } == bytes, sourceLocation: location)
            }
        }
    }

    /// What a tag points at; nil where there is none.
    func digest(of tag: String, _ path: String) async throws -> Digest? {
        let repository = try Repository(registry: address, path: path)
        return try await withClient { try await $0.headManifest(.tag(Tag(parsing: tag)), in: repository) }
    }

    /// Whether a repository gives out a manifest.
    func has(_ digest: Digest, _ path: String) async throws -> Bool {
        let repository = try Repository(registry: address, path: path)
        return try await withClient { try await $0.headManifest(.digest(digest), in: repository) } != nil
    }
}

extension RegistryContents {
    func repository(_ path: String) throws -> Repository {
        try #require(repositories.first { $0.path.description == path })
    }
}

extension PrunePlan {
    /// A plan for what is in a registry, without any thought: so many tags and manifests, in that order, go, and all else
    /// stays.
    init(_ contents: RegistryContents, removing: [String: (tags: [String], manifests: [Digest])]) throws {
        let repositories = contents.repositories.map { repository in
            let going = removing[repository.path.description] ?? ([], [])
            let tags = repository.tags.sorted { $0.key < $1.key }.map { tag, digest in
                let action: Action = going.tags.contains(tag.description) ? .remove : .keep
                return TagEntry(tag: tag, digest: digest, action: action, reason: "")
            }
            let staying = repository.manifests.keys.filter { !going.manifests.contains($0) }.sorted()
            let manifests =
                going.manifests.map { ManifestEntry(digest: $0, byteCount: 0, action: .remove, reason: "") }
                + staying.map { ManifestEntry(digest: $0, byteCount: 0, action: .keep, reason: "") }
            return Repository(
                repository: repository.path,
                isRemoved: !going.tags.isEmpty && going.tags.count == tags.count,
                tags: tags,
                manifests: manifests,
                layers: []
            )
        }
        self.init(
            target: "",
            repositories: repositories,
            blobs: [],
            freedByteCount: 0,
            missing: [],
            problems: []
        )
    }
}
