import ImageLayout
import RegistryClient
import Synchronization

/// Carries a push plan out.
struct PushReplay: Sendable {
    let plan: PushPlan
    let graph: ImageGraph
    let reader: LayoutReader
    let client: RegistryClient
    let parallelism: Int
    let progress: ProgressHandler

    /// One step with a blob: it gets to its home first, then to the repositories that mount it.
    private enum BlobStep: Sendable {
        case home(PushPlan.Blob)
        case mount(Descriptor, from: Repository, to: Repository)
    }

    /// What could not be put, by repository: a blob or a manifest there.
    private struct Place: Hashable {
        let digest: Digest
        let repository: Repository
    }

    /// Failures, gathered from all tasks.
    private final class Failures: Sendable {
        private let places = Mutex<[Place: any Error]>([:])

        func note(_ error: any Error, _ digest: Digest, in repository: Repository) {
            places.withLock { $0[Place(digest: digest, repository: repository)] = error }
        }

        func error(_ digest: Digest, in repository: Repository) -> (any Error)? {
            places.withLock { $0[Place(digest: digest, repository: repository)] }
        }
    }

    /// Replays everything.
    ///
    /// - Returns: the images that failed, by their name in the target, each with the first cause.
    /// - Throws: `CancellationError` alone.
    func run() async throws -> [String: any Error] {
        let uploads = plan.uploads
        progress(
            .planned(blobCount: uploads.count, byteCount: uploads.reduce(0) { $0 + $1.descriptor.size })
        )
        let failures = Failures()
        try await moveBlobs(failures)
        try await putChildren(failures)
        return try await putNames(failures)
    }

    // MARK: - Blobs

    private func moveBlobs(_ failures: Failures) async throws {
        let steps = plan.blobs.map(BlobStep.home)
        try await forEachBlobConcurrently(steps, parallelism: parallelism, byteCount: byteCount) { step in
            switch step {
            case .home(let blob): try await bringHome(blob, failures)
            case .mount(let blob, let home, let repository):
                try await mount(blob, from: home, to: repository, failures)
            }
        }
    }

    private func byteCount(_ step: BlobStep) -> Int64 {
        switch step {
        case .home(let blob): blob.needsUpload ? blob.descriptor.size : 0
        case .mount: 0
        }
    }

    private func bringHome(_ blob: PushPlan.Blob, _ failures: Failures) async throws -> [BlobStep] {
        do {
            if blob.needsUpload { try await upload(blob.descriptor, to: blob.home) }
        } catch let error as CancellationError {
            throw error
        } catch {
            for repository in [blob.home] + blob.mounts {
                failures.note(error, blob.descriptor.digest, in: repository)
            }
            return []
        }
        return blob.mounts.map { .mount(blob.descriptor, from: blob.home, to: $0) }
    }

    private func mount(
        _ blob: Descriptor,
        from home: Repository,
        to repository: Repository,
        _ failures: Failures
    ) async throws -> [BlobStep] {
        do {
            let outcome = try await client.mountBlob(blob.digest, from: home, to: repository)
            guard case .uploadOpened(let session) = outcome else { return [] }
            // The registry does not mount. It may have the blob all the same.
            if try await !client.hasBlob(blob, in: repository) {
                try await upload(blob, to: repository, session: session)
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            failures.note(error, blob.digest, in: repository)
        }
        return []
    }

    private func upload(_ blob: Descriptor, to repository: Repository, session: UploadSession? = nil) async throws {
        guard let range = reader.range(of: blob.digest) else {
            throw DrayageError(.unverified, "\(reader.path): the blob \(blob.digest) is missing")
        }
        progress(.blobStarted(blob.digest, byteCount: blob.size))
        do {
            try await client.putBlob(
                blob,
                to: repository,
                from: FileRange(descriptor: reader.descriptor, offset: range.lowerBound, byteCount: blob.size),
                session: session
            ) { progress(.blobAdvanced(blob.digest, byteCount: $0)) }
            progress(.blobFinished(blob.digest))
        } catch {
            progress(.blobFailed(blob.digest))
            throw error
        }
    }

    // MARK: - Manifests

    /// One manifest that is put by its digest.
    private struct Child: Hashable {
        let digest: Digest
        let repository: Repository
    }

    private func putChildren(_ failures: Failures) async throws {
        let heights = graph.heights()
        var children: [Int: Set<Child>] = [:]
        for image in plan.sent {
            for document in graph.documents(from: image.image.descriptor.digest).dropFirst() {
                let digest = document.descriptor.digest
                children[heights[digest] ?? 0, default: []].insert(Child(digest: digest, repository: image.repository))
            }
        }
        for level in children.keys.sorted() {
            try await forEachConcurrently(children[level] ?? [], limit: parallelism) { child in
                guard let document = graph.documents[child.digest] else { return [] }
                if let error = cause(of: document, in: child.repository, failures) {
                    failures.note(error, child.digest, in: child.repository)
                    return []
                }
                do {
                    try await client.putManifest(document, as: .digest(child.digest), in: child.repository)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    failures.note(error, child.digest, in: child.repository)
                }
                return []
            }
        }
    }

    /// Why a document cannot be put: what failed directly beneath it.
    private func cause(of document: Document, in repository: Repository, _ failures: Failures) -> (any Error)? {
        let beneath = document.blobs.lazy.map(\.digest) + document.children.lazy.map(\.digest)
        return beneath.compactMap { failures.error($0, in: repository) }.first
    }

    private func putNames(_ failures: Failures) async throws -> [String: any Error] {
        let failed = Mutex<[String: any Error]>([:])
        try await forEachConcurrently(plan.sent, limit: parallelism) { image in
            guard let document = graph.documents[image.image.descriptor.digest] else { return [] }
            do {
                if let error = cause(of: document, in: image.repository, failures) { throw error }
                try await client.putManifest(document, as: image.target, in: image.repository)
                progress(.imageFinished(name: image.name))
            } catch let error as CancellationError {
                throw error
            } catch {
                failed.withLock { $0[image.name] = error }
                progress(.imageFailed(name: image.name, message: "\(error)"))
            }
            return []
        }
        return failed.withLock { $0 }
    }
}
