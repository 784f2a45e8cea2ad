import FoundationEssentials
import RegistryClient
import Synchronization

extension RegistryReader {
    /// The most bytes of a config that are read: as many as of a manifest.
    private static let configByteLimit = Int64(Document.byteLimit)

    /// When an image was made, by its manifest or else by its config; nil where neither can be read or says it.
    ///
    /// - Throws: what concerns the whole registry.
    func created(_ facts: ManifestFacts, in repository: Repository) async throws -> Date? {
        // The config of an artifact is mostly the two bytes of an empty object.
        guard facts.created == nil, let need = facts.needs.first(where: { $0.digest == facts.config }),
            (3...Self.configByteLimit).contains(need.byteCount)
        else { return facts.created }
        let config = Descriptor(mediaType: .ociConfig, digest: need.digest, size: need.byteCount)
        let received = Mutex<[UInt8]>([])
        do {
            let sink: BlobSink = { bytes, offset in
                received.withLock { received in
                    // It may have to begin again.
                    if offset == 0 { received = [] }
                    unsafe received += bytes.withUnsafeBytes { unsafe Array($0) }
                }
            }
            try await client.fetchBlob(config, from: repository, into: sink)
        } catch {
            // Nothing depends on it but which images are the newest.
            _ = try error.ofOneThing()
            return nil
        }
        return ManifestFacts.created(inConfig: received.withLock { $0 })
    }
}
