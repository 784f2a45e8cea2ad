import Foundation
import OCI
import Synchronization
import TestSupport

/// A registry behind a proxy through which some blobs do not come, or not all of them.
final class StallingSite: Sendable {
    let storage: RegistryStorage
    private let server: ServeProcess
    private let proxy: FaultProxy
    private let faults: Faults

    private final class Faults: Sendable {
        let byDigest = Mutex<[Digest: FaultProxy.Fault]>([:])
    }

    init() throws {
        let place = try Terminal()
        storage = RegistryStorage(root: place.scratch.path("registry"))
        try FileManager.default.createDirectory(atPath: storage.root, withIntermediateDirectories: true)
        server = try ServeProcess(place, ["registry", "-q"])
        let faults = Faults()
        self.faults = faults
        proxy = try FaultProxy(to: server.address) { request, _ in
            faults.byDigest.withLock { faults in faults.first { request.path.hasSuffix("/blobs/\($0.key)") }?.value }
        }
    }

    /// Adds an image, or points a tag at it, and gives its reference.
    @discardableResult
    func add(_ image: TestImage, _ repository: String, tag: String = "1") throws -> String {
        try storage.add(image, repository: repository, tag: tag)
        return "\(address)/\(repository):\(tag)"
    }

    var address: String { proxy.address }

    /// What is done to the answer to whoever asks for a blob; nil is nothing.
    func set(_ fault: FaultProxy.Fault?, of blob: TestBlob) {
        faults.byDigest.withLock { $0[blob.digest] = fault }
    }

    // MARK: - What was asked

    /// Every request so far.
    var requests: [FaultProxy.Exchange] { proxy.exchanges }

    /// The requests that a command makes.
    func requests(during command: () async throws -> Void) async rethrows -> [FaultProxy.Exchange] {
        let count = requests.count
        try await command()
        return Array(requests.dropFirst(count))
    }
}

extension ScratchDirectory {
    /// Whether a bundle that is being filled holds so many bytes of the beginning of a blob.
    func partial(_ name: String, holds byteCount: Int, of blob: TestBlob) throws -> Bool {
        guard contains(name) else { return false }
        let bytes = try read(name)
        guard let entry = TarBytes.entries(of: bytes).first(where: { $0.path.hasSuffix("/\(blob.digest.hex)") })
        else { return false }
        // It comes in order.
        let end = entry.range.lowerBound + byteCount
        return try bytes[(end - 64)..<end] == blob.bytes[(byteCount - 64)..<byteCount]
    }
}
