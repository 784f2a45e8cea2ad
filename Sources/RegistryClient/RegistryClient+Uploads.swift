import NIOHTTP1
package import OCI

/// An upload that a registry has opened: the URL that it gave, to be followed as it is.
package struct UploadSession: Hashable, Sendable {
    private(set) var url: String
    /// The fewest bytes that a chunk may have, but for the last one.
    let minimumChunkSize: Int64

    /// Takes the answer of a registry to a request that opens an upload.
    ///
    /// Spec: distribution "Pushing a blob in chunks", `OCI-Chunk-Min-Length`.
    init(
        opened response: HTTPResponse,
        by request: HTTPRequest,
        at registry: Registry,
        context: RequestContext
    ) throws {
        try response.expect([202], of: request, context: context)
        url = try Self.location(in: response, to: request, at: registry, context: context)
        minimumChunkSize = response.headers.first(name: "OCI-Chunk-Min-Length").flatMap { Int64($0) } ?? 0
    }

    /// The session as it goes on after an answer, which may have named another URL.
    func next(
        after response: HTTPResponse,
        to request: HTTPRequest,
        at registry: Registry,
        context: RequestContext
    ) throws -> Self {
        guard response.headers.contains(name: "Location") else { return self }
        var next = self
        next.url = try Self.location(in: response, to: request, at: registry, context: context)
        return next
    }

    /// Where it goes on, seen from who answered: the request may have been redirected.
    private static func location(
        in response: HTTPResponse,
        to request: HTTPRequest,
        at registry: Registry,
        context: RequestContext
    ) throws -> String {
        var answered = request
        answered.url = RequestURL(response.url)
        let target = try RedirectPolicy.target(of: response, from: answered, context: context)
        // Nobody else says what is done there with our credentials.
        let own = registry.endpoint.origin
        guard URLParts.origin(of: target) != own || answered.origin == own else {
            throw RegistryError(
                .unsafeRedirect,
                context,
                request: answered.name,
                status: response.status,
                reason: "another host sends the upload back to the registry"
            )
        }
        return target
    }
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
            scopes: [.push(repository), .pull(source)],
            context: context
        )
        if response.status == 201 { return .mounted }
        return .uploadOpened(
            try UploadSession(opened: response, by: request, at: registry(repository.registry), context: context)
        )
    }

    /// Uploads a blob straight from a file, in one piece where that gets through.
    ///
    /// An upload that breaks is cancelled and begins again with a new session. After the second break the blob goes in
    /// chunks, and so does one that is too large for the registry or for a proxy before it: of those, only what the
    /// registry has not acknowledged is sent again.
    ///
    /// - Parameters:
    ///   - blob: what is uploaded.
    ///   - repository: where it goes.
    ///   - file: where its bytes are.
    ///   - session: an upload that is open already; nil opens one.
    ///   - sent: hears of the bytes as they leave, and with a negative number that so many have left in vain.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pushing a blob monolithically", POST then PUT; "Pushing a blob in chunks"; "Deleting a blob
    /// upload".
    package func putBlob(
        _ blob: Descriptor,
        to repository: Repository,
        from file: FileRange,
        session: UploadSession? = nil,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        try await putBlob(blob, to: repository, from: .file(file), session: session, sent: sent)
    }

    /// Uploads a blob that another registry sends, without keeping it anywhere.
    ///
    /// It goes as one from a file does. Where the other registry breaks off, it is asked for the rest, and the upload goes
    /// on. The last bytes leave only when all are what the digest says; what is sent again after that is the target's to
    /// verify, which is told the digest.
    ///
    /// - Parameters:
    ///   - blob: what is uploaded.
    ///   - repository: where it goes.
    ///   - session: an upload that is open already; nil opens one.
    ///   - fetch: has the bytes sent, with ``fetchBlob(_:from:onto:)``.
    ///   - sent: hears of the bytes as they leave, and with a negative number that so many have left in vain.
    /// - Throws: ``RegistryError`` of the upload, ``BlobSourceFailure`` for what `fetch` throws.
    package func putBlob(
        _ blob: Descriptor,
        to repository: Repository,
        session: UploadSession? = nil,
        fetchedBy fetch: @escaping @Sendable (BlobForward) async throws -> Void,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        try await putBlob(
            blob,
            to: repository,
            from: .relay(BlobRelay(blob, to: repository.registry), fetch: fetch),
            session: session,
            sent: sent
        )
    }

    /// Fetches the bytes that an upload asks for, and writes them on as they come.
    ///
    /// What breaks off is asked for again at once, a few times without any gain. A longer wait is for the upload to make,
    /// which is not kept open meanwhile.
    ///
    /// - Throws: ``RegistryError``; ``BlobSourceFailure`` where bytes were wrong that have left already, so that no other
    ///   can go on from there.
    ///
    /// Spec: distribution "Pulling blobs"; RFC 9110 "Range Requests".
    package func fetchBlob(_ blob: Descriptor, from repository: Repository, onto forward: BlobForward) async throws {
        let context = RequestContext(operation: "fetching the blob", subject: "\(repository)@\(blob.digest)")
        let source = registry(repository.registry)
        let policy = RetryPolicy(limit: source.isMirror ? 1 : 4, maxWait: .seconds(5))
        let (clock, most) = (configuration.retryClock, min(policy.limit, configuration.retryLimit))
        var (failureCount, reached) = (0, forward.position)
        while !forward.isWhole {
            do {
                try await fetchRest(of: blob, from: repository, onto: forward, context)
            } catch let error as RegistryError where error.isDigestMismatch {
                throw BlobSourceFailure(underlying: error)
            } catch let error as RegistryError where RetryPolicy.isRetryable(error) && error.retryAfter == nil {
                if forward.position > reached { (failureCount, reached) = (0, forward.position) }
                failureCount += 1
                guard failureCount <= most else { throw error }
                let wait = policy.delay(afterFailures: failureCount, random: clock.random())
                configuration.onRetry(Retry(error: error, wait: wait, attempt: failureCount + 1))
                try await clock.sleep(wait)
            }
        }
    }

    private func fetchRest(
        of blob: Descriptor,
        from repository: Repository,
        onto forward: BlobForward,
        _ context: RequestContext
    ) async throws {
        let (request, response) = try await attempt(
            .GET,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            to: registry(repository.registry),
            headers: forward.headers,
            scopes: [.pull(repository)],
            handling: .forward(forward, context),
            // Within one registry the upload has a slot already, and both could wait for each other.
            waitsForSlot: !forward.goes(to: repository.registry),
            context: context
        )
        try response.expect([200, 206], of: request, context: context)
        guard forward.isWhole else {
            throw RegistryError(.sizeMismatch(expected: blob.size, actual: forward.position), context)
        }
    }

    private func putBlob(
        _ blob: Descriptor,
        to repository: Repository,
        from source: BlobUpload.Source,
        session: UploadSession?,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        let context = RequestContext(operation: "uploading the blob", subject: "\(repository)@\(blob.digest)")
        let upload = BlobUpload(
            blob,
            to: repository,
            from: source,
            session: session,
            client: self,
            context: context,
            sent: sent
        )
        do {
            try await retrying(upload.registry, context, reached: upload.furthest) { try await upload.attempt() }
        } catch {
            // Where nobody answers, a wait for one more answer is in vain.
            let isReachable = (error as? RegistryError).map { $0.code != .unreachable } ?? true
            if isReachable, let session = upload.session?.upload { await giveUp(session, in: repository) }
            upload.move(to: 0)
            throw error
        }
    }

    /// Cancels an upload, for which there is a moment, also where the task has been cancelled.
    package func giveUp(_ session: UploadSession, in repository: Repository) async {
        let cancellation = Task { await cancelUpload(session, in: repository) }
        let limit = Task {
            try await Task.sleep(for: .seconds(2))
            cancellation.cancel()
        }
        await cancellation.value
        limit.cancel()
    }

    /// Cancels an upload that is not needed.
    ///
    /// It frees what the upload holds in the registry, which would otherwise keep it for days. Not all registries can do
    /// that, and nothing depends on it, so nothing is said of a failure.
    package func cancelUpload(_ session: UploadSession, in repository: Repository) async {
        let context = RequestContext(operation: "cancelling the upload", subject: repository.description)
        let registry = registry(repository.registry)
        // Once, but not while the registry is not to be disturbed.
        _ = try? await retrying(registry, context, limit: 0) {
            try await attempt(
                .DELETE,
                session.url,
                to: registry,
                scopes: [.delete(repository)],
                context: context
            )
        }
    }

    func openUpload(_ repository: Repository, _ context: RequestContext) async throws -> UploadSession {
        let (request, response) = try await attempt(
            .POST,
            "/v2/\(repository.path)/blobs/uploads/",
            to: registry(repository.registry),
            headers: ["Content-Length": "0"],
            scopes: [.push(repository)],
            context: context
        )
        return try UploadSession(opened: response, by: request, at: registry(repository.registry), context: context)
    }
}
