import ImageLayout
import RegistryClient
import Synchronization

extension Resolver {
    /// A small blob that was fetched while planning, so that it need not be fetched again.
    struct PlannedBlob: Sendable {
        let bytes: [UInt8]
        /// Where it came from; nil where it was at hand.
        let source: Repository?

        /// The most bytes of one that is kept until it has its place, and of all together.
        fileprivate static let (byteLimit, sumLimit) = (64 << 10, 16 << 20)

        /// Whether it need not be fetched again.
        var isKept: Bool { source != nil && bytes.count <= Self.byteLimit }
    }

    /// Fetches a small blob, unless it is at hand.
    ///
    /// - Throws: `CancellationError` alone.
    func smallBlob(_ blob: Descriptor, at places: [Place]) async throws -> Result<PlannedBlob, any Error> {
        for reader in reused where reader.byteCount(of: blob.digest) != nil {
            // One that is damaged there is fetched.
            guard let bytes = try? await blocking({ try reader.bytes(of: blob.digest, limit: Int(blob.size)) }) else {
                continue
            }
            return .success(PlannedBlob(bytes: bytes, source: nil))
        }
        do {
            let blob = try await health.ask(places) { place in
                let bytes = Mutex<[UInt8]>([])
                try await place.client(client).fetchBlob(blob, from: place.repository) { piece, offset in
                    bytes.withLock { bytes in
                        if offset == 0 { bytes = [] }
                        unsafe piece.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
                    }
                }
                return PlannedBlob(bytes: bytes.withLock { $0 }, source: place.repository)
            }
            return .success(blob)
        } catch let error as CancellationError {
            throw error
        } catch {
            return .failure(error)
        }
    }
}

extension Resolver.Resolution {
    /// Keeps a blob that was fetched until it has its place, unless it is large, or there are too many.
    mutating func keep(_ blob: Resolver.PlannedBlob, as digest: Digest) {
        let sum = plannedByteCount + blob.bytes.count
        guard blob.isKept, blobs[digest] == nil, sum <= Resolver.PlannedBlob.sumLimit else { return }
        blobs[digest] = blob
        plannedByteCount = sum
    }
}
