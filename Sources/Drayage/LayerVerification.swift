import ImageLayout
import Synchronization

/// Verifies what the layers of a bundle hold, and keeps what it found.
final class LayerVerification: Sendable {
    /// The most layers that are decompressed at once: each may take the 128 MiB that zstd's window has at most.
    static let limit = 8

    private struct State {
        var problems: [Digest: [LayoutError.Code]] = [:]
        var layerCount = 0
        var byteCount: Int64 = 0
    }

    private let reader: LayoutReader
    private let claims: LayerClaims
    private let state = Mutex(State())

    /// Reads the configs.
    init(of reader: LayoutReader) async throws {
        self.reader = reader
        claims = try await blocking { checkCancellation in try reader.layerClaims(advanced: checkCancellation) }
    }

    /// Whether a blob is a layer of which something is said.
    func concern(_ blob: Descriptor) -> Bool { claims.concern(blob.digest) }

    /// Verifies a layer: itself, and what it holds.
    func verify(_ blob: Descriptor, _ advanced: (_ byteCount: Int64) throws -> Void) throws {
        let findings = try reader.verify(blob, claims: claims, advanced: advanced)
        state.withLock { state in
            state.problems[blob.digest] = findings.problems
            state.layerCount += 1
            state.byteCount += findings.byteCount
        }
    }

    /// What is wrong, with the images that need it: first the configs, then the layers in the order of their digests.
    func errors() async throws -> [LayoutError] {
        let found = state.withLock { $0.problems }.sorted { $0.key < $1.key }.flatMap(\.value)
        let problems = claims.problems + found
        let reader = reader
        return try await blocking { try reader.errors(of: problems) }
    }

    /// Says what was verified, and what nobody could.
    func describe(in report: inout Report) {
        let (layerCount, byteCount) = state.withLock { ($0.layerCount, $0.byteCount) }
        report.totals?.layerCount = layerCount
        report.totals?.layerByteCount = byteCount
        guard !claims.encrypted.isEmpty else { return }
        let count = claims.encrypted.count
        report.notes.append(
            "\(count) encrypted layer\(count == 1 ? "" : "s"): what \(count == 1 ? "it holds" : "they hold") is not verified"
        )
    }
}
