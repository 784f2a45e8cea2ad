import OCI
import Synchronization
import TestSupport

/// Sixty images that a run is interrupted with, and the moments at which it is.
///
/// Their layers have from no byte to a mebibyte, some are of several images, and one image is for two platforms.
struct InterruptedImages {
    /// The images by `repository:tag`.
    private(set) var all: [String: TestImage] = [:]

    init() throws {
        var builder = ImageBuilder(seed: 505)
        let bases = [try builder.opaqueLayer(byteCount: 300_000), try builder.layer()]
        for number in 0..<60 {
            // As many large ones as small ones, of which none may be missing: no byte, one, and those around powers of 2.
            let power = 1 << (number / 2 % 20)
            let byteCount = number % 2 == 0 ? power - number / 2 % 3 : 64 << 10 + number * 16_000
            let own = try builder.opaqueLayer(byteCount: max(0, byteCount))
            let shared = number % 3 == 0 ? [bases[number % 2]] : []
            let image =
                number == 30
                ? try builder.multiPlatform(sharing: [own] + bases)
                : try builder.image(layers: shared + [own])
            all["team/app-\(number):1"] = image
        }
    }

    /// Puts all of them into a registry.
    func store(in storage: RegistryStorage) throws {
        for (name, image) in all { try storage.add(image, repository: String(name.prefix { $0 != ":" }), tag: "1") }
    }

    /// What a registry holds of all of them, by digest.
    var blobs: [Digest: TestBlob] {
        Dictionary(all.values.flatMap(\.blobs).map { ($0.digest, $0) }) { first, _ in first }
    }

    /// The manifests and indexes of all of them.
    var documents: Set<Digest> { Set(all.values.flatMap(\.documents).map(\.digest)) }
}

/// When a run is killed: by what it has done, as a busy machine has another clock.
enum KillMoment {
    /// After so many requests.
    case request(Int)
    /// As soon as something of the file is there.
    case layout

    /// Some moment of each kind, and most while blobs are moved.
    ///
    /// - Parameters:
    ///   - number: which kind: 0 and the next ones.
    ///   - moves: those of the run's requests that move blobs.
    ///   - random: where within.
    init(number: Int, moves: Range<Int>, using random: inout SplitMix64) {
        let (before, end) = (max(1, moves.lowerBound), moves.upperBound)
        let late = before + max(1, moves.count * 3 / 4)
        self =
            switch number % 8 {
            case 2: .request(.random(in: 0...before, using: &random))
            case 4: .layout
            case 7: .request(.random(in: late...max(late, end), using: &random))
            default: .request(.random(in: before..<late, using: &random))
            }
    }
}

/// Counts the requests that pass a proxy.
final class RequestCount: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }
}
