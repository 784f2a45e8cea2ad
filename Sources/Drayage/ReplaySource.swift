import ImageLayout
import RegistryClient
import Synchronization

/// Where the blobs of a replay come from.
enum ReplaySource: Sendable {
    /// A bundle, or another file.
    case bundle(LayoutReader)
    /// The registries that have them, without anything in between.
    case registries(BlobSources, MirrorHealth)

    /// Uploads a blob from there.
    ///
    /// - Throws: `RegistryError` of the upload, `LayoutError`, ``DrayageError`` or `BlobSourceFailure` for the source.
    func put(
        _ blob: Descriptor,
        to repository: Repository,
        session: UploadSession?,
        client: RegistryClient,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        switch self {
        case .bundle(let reader):
            guard let location = try await blocking({ try reader.location(of: blob.digest) }) else {
                throw DrayageError(.unverified, "\(reader.path): the blob \(blob.digest) is missing")
            }
            // Its file is open as long as this is kept.
            defer { withExtendedLifetime(location) {} }
            let range = FileRange(
                descriptor: location.descriptor,
                offset: location.range.lowerBound,
                byteCount: blob.size
            )
            try await client.putBlob(blob, to: repository, from: range, session: session, sent: sent)
        case .registries(let sources, let health):
            // Of whom wrong bytes may be, no mirror is asked again.
            let givers = Mutex<Set<Place>>([])
            let liars = Mutex<Set<Place>>([])
            try await client.putBlob(
                blob,
                to: repository,
                session: session,
                fetchedBy: { forward in
                    let known = liars.withLock { $0 }
                    let places = sources[blob.digest].filter { !known.contains($0) || !$0.isMirror }
                    try await health.ask(places) { place in
                        givers.withLock { _ = $0.insert(place) }
                        do {
                            try await place.client(client).fetchBlob(blob, from: place.repository, onto: forward)
                        } catch let failure as BlobSourceFailure {
                            let all = givers.withLock { $0 }
                            liars.withLock { $0.formUnion(all) }
                            throw failure
                        }
                    }
                },
                sent: sent
            )
        }
    }

    /// Reads a blob once more, where a registry says that it is not what its digest says; what comes from registries was
    /// held against it on the way.
    ///
    /// - Throws: `LayoutError` where it is not.
    func verify(_ blob: Descriptor) async throws {
        guard case .bundle(let reader) = self else { return }
        try await blocking { try reader.verify(blob) }
    }
}
