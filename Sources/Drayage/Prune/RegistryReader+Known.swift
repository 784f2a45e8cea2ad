import RegistryClient
import Synchronization

/// What was read of one manifest, and what was found around it.
struct KnownManifest: Sendable {
    /// What it says.
    var facts: ManifestFacts
    /// The manifests that refer to it.
    var referrers: [Digest] = []

    /// Reads a manifest.
    ///
    /// - Parameter bytes: the manifest, whose digest was verified.
    /// - Throws: ``DrayageError`` where it has no form that is known.
    init(parsing bytes: [UInt8]) throws {
        facts = try ManifestFacts(parsing: bytes)
    }
}

/// What was read of the manifests of a registry, for the next time.
final class KnownManifests: Sendable {
    private struct State {
        var manifests: [Repository: [Digest: KnownManifest]] = [:]
        var hasReferrers: Bool?
    }

    private let state = Mutex(State())

    /// Whether the registry lists referrers, as far as is known.
    var mayHaveReferrers: Bool { state.withLock { $0.hasReferrers ?? true } }

    /// Notes whether the registry listed referrers; once it did, a refusal is that of one manifest.
    func noteReferrers(areListed: Bool) {
        state.withLock { $0.hasReferrers = areListed || $0.hasReferrers ?? false }
    }

    /// What was read of a manifest; nil where it was not, or not wholly.
    func manifest(_ digest: Digest, in repository: Repository) -> KnownManifest? {
        state.withLock { $0.manifests[repository]?[digest] }
    }

    /// Keeps what was read.
    func add(_ manifest: KnownManifest, _ digest: Digest, in repository: Repository) {
        state.withLock { $0.manifests[repository, default: [:]][digest] = manifest }
    }
}
