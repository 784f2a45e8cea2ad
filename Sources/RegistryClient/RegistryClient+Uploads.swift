import NIOHTTP1
package import OCI
import Synchronization

/// An upload that a registry has opened: the URL that it gave, to be followed as it is.
package struct UploadSession: Hashable, Sendable {
    let url: String
}

extension RegistryClient {
    /// What became of the wish to mount a blob.
    package enum MountOutcome: Hashable, Sendable {
        /// The repository has the blob now.
        case mounted
        /// The registry would not, and opened an upload instead.
        case uploadOpened(UploadSession)
    }

    /// Makes a blob of one repository part of another on the same registry, without moving it.
    ///
    /// Spec: distribution "Mounting a blob from another repository".
    package func mountBlob(
        _ digest: Digest,
        from source: Repository,
        to repository: Repository
    ) async throws -> MountOutcome {
        let context = RequestContext(operation: "mounting the blob", subject: "\(repository)@\(digest)")
        let (request, response) = try await send(
            .POST,
            "/v2/\(repository.path)/blobs/uploads/?mount=\(digest)&from=\(source.path)",
            to: registry(repository.registry),
            headers: ["Content-Length": "0"],
            scopes: [Scope.push(repository), Scope.pull(source)],
            context: context
        )
        if response.status == 201 { return .mounted }
        return .uploadOpened(try session(response, of: request, context: context))
    }

    /// Uploads a blob straight from a file: one request opens the upload, one carries all the bytes.
    ///
    /// An upload that fails is cancelled and begins again with a new session.
    ///
    /// - Parameters:
    ///   - blob: what is uploaded.
    ///   - repository: where it goes.
    ///   - file: where its bytes are.
    ///   - session: an upload that is open already; nil opens one.
    ///   - sent: hears of the bytes as they leave, and with a negative number that so many have left in vain.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pushing a blob monolithically", POST then PUT; "Deleting a blob upload".
    package func putBlob(
        _ blob: Descriptor,
        to repository: Repository,
        from file: FileRange,
        session: UploadSession? = nil,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        let context = RequestContext(operation: "uploading the blob", subject: "\(repository)@\(blob.digest)")
        let registry = registry(repository.registry)
        var given = session
        var broken: UploadSession?
        do {
            try await retrying(registry, context) {
                if let session = broken { await cancel(session, repository) }
                broken = nil
                let session = if let given { given } else { try await open(repository, context) }
                given = nil
                broken = session
                try await put(blob, to: repository, from: file, in: session, sent: sent, context)
            }
        } catch let error as RegistryError {
            // Where nobody answers, a wait for one more answer is in vain.
            if let session = broken, error.code != .unreachable { await cancel(session, repository) }
            throw error
        }
    }

    private func open(_ repository: Repository, _ context: RequestContext) async throws -> UploadSession {
        let (request, response) = try await attempt(
            .POST,
            "/v2/\(repository.path)/blobs/uploads/",
            to: registry(repository.registry),
            headers: ["Content-Length": "0"],
            scopes: [Scope.push(repository)],
            context: context
        )
        return try session(response, of: request, context: context)
    }

    private func put(
        _ blob: Descriptor,
        to repository: Repository,
        from file: FileRange,
        in session: UploadSession,
        sent: @escaping @Sendable (Int64) -> Void,
        _ context: RequestContext
    ) async throws {
        let count = UploadCount(sent)
        do {
            let (request, response) = try await attempt(
                .PUT,
                URLParts.appending("digest", blob.digest.description, to: session.url),
                to: registry(repository.registry),
                headers: ["Content-Type": "application/octet-stream"],
                body: file.byteCount == 0 ? .bytes([]) : .file(file, sent: count.add),
                scopes: [Scope.push(repository)],
                context: context
            )
            try response.expect([201, 204], of: request, context: context)
        } catch {
            count.takeBack()
            throw error
        }
    }

    /// Frees what an upload holds in the registry, which would otherwise keep it for days; not all can do that.
    private func cancel(_ session: UploadSession, _ repository: Repository) async {
        let context = RequestContext(operation: "cancelling the upload", subject: repository.description)
        // The failure of the upload is the one to tell.
        _ = try? await attempt(
            .DELETE,
            session.url,
            to: registry(repository.registry),
            scopes: [Scope.delete(repository)],
            context: context
        )
    }

    private func session(
        _ response: HTTPResponse,
        of request: HTTPRequest,
        context: RequestContext
    ) throws -> UploadSession {
        try response.expect([202], of: request, context: context)
        let target = try RedirectPolicy.target(of: response, from: request, context: context)
        return UploadSession(url: target)
    }
}

/// The bytes of one attempt at an upload.
private final class UploadCount: Sendable {
    private let sent: @Sendable (Int64) -> Void
    /// Nil after the attempt: its connection may still say something.
    private let byteCount = Mutex<Int64?>(0)

    init(_ sent: @escaping @Sendable (Int64) -> Void) { self.sent = sent }

    func add(_ more: Int64) {
        byteCount.withLock { count in
            guard let old = count else { return }
            count = old + more
            sent(more)
        }
    }

    func takeBack() {
        byteCount.withLock { count in
            if let old = count, old > 0 { sent(-old) }
            count = nil
        }
    }
}
