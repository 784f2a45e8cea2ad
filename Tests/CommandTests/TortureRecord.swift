import OCI
import Synchronization
import TestSupport

/// What a server has acknowledged, and what it was asked for and has not: then both is right, but nothing between.
final class TortureRecord: Sendable {
    /// Something that is there or not.
    enum Item: Hashable, Sendable {
        case blob(String, Digest)
        case manifest(String, Digest)
        case tag(String, String)

        /// Where it is had.
        var target: String {
            switch self {
            case .blob(let repository, let digest): "/v2/\(repository)/blobs/\(digest)"
            case .manifest(let repository, let digest): "/v2/\(repository)/manifests/\(digest)"
            case .tag(let repository, let tag): "/v2/\(repository)/manifests/\(tag)"
            }
        }
    }

    /// An upload that is under way.
    struct Session: Sendable {
        let repository: String
        let blob: TortureBlob
        /// What was acknowledged of it.
        var byteCount = 0
        /// Whether its end was asked for.
        var isEnding = false
    }

    private struct Value {
        var acknowledged: Digest?
        var asked: Set<Digest?> = []
    }

    private struct State {
        var values: [Item: Value] = [:]
        var sessions: [String: Session] = [:]
        var problems: [String] = []
        var acknowledgements = 0
    }

    private let state = Mutex(State())

    /// How much was acknowledged in all.
    var acknowledgements: Int { state.withLock { $0.acknowledgements } }
    /// What went wrong so far.
    var problems: [String] { state.withLock { $0.problems } }
    /// The uploads that are under way, by their location.
    var sessions: [String: Session] { state.withLock { $0.sessions } }
    /// Whatever was ever asked for, with all that it may be now; nil is nothing.
    var items: [Item: Set<Digest?>] {
        state.withLock { $0.values.mapValues { $0.asked.union([$0.acknowledged]) } }
    }

    /// Notes that something is asked for; nil is its end.
    func ask(_ item: Item, _ digest: Digest?) {
        state.withLock { _ = $0.values[item, default: Value()].asked.insert(digest) }
    }

    /// Notes that something was acknowledged.
    func acknowledge(_ item: Item, _ digest: Digest?) {
        state.withLock { state in
            state.acknowledgements += 1
            state.values[item, default: Value()].acknowledged = digest
            state.values[item]?.asked.remove(digest)
        }
    }

    /// Notes what turned out to be there when nobody asked for anything.
    func settle(_ item: Item, _ digest: Digest?) {
        state.withLock { $0.values[item] = Value(acknowledged: digest) }
    }

    /// Notes how far an upload is; nil when it has ended.
    func note(_ location: String, _ session: Session?) { state.withLock { $0.sessions[location] = session } }

    /// Notes what should not have happened.
    func fail(_ problem: String) { state.withLock { $0.problems.append(problem) } }
}

/// Bytes that are uploaded.
struct TortureBlob: Sendable {
    let bytes: [UInt8]
    let digest: Digest

    init(byteCount: Int, seed: UInt64) throws { try self.init(RandomBytes.make(count: byteCount, seed: seed)) }

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        digest = try Digest.of(bytes)
    }

    /// Some of which each is needed in many places at once.
    static func pool(seed: UInt64) throws -> [TortureBlob] {
        var random = SplitMix64(seed: seed)
        return try (0..<24).map { number in
            let byteCount = number < 20 ? Int.random(in: 1...200_000, using: &random) : 1_500_000 + number
            return try TortureBlob(byteCount: byteCount, seed: random.next())
        }
    }
}
