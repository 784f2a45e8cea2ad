import NIOHTTP1
package import OCI

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
    /// - Parameters:
    ///   - blob: what is uploaded.
    ///   - repository: where it goes.
    ///   - file: where its bytes are.
    ///   - session: an upload that is open already; nil opens one.
    ///   - sent: hears of the bytes as they leave.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pushing a blob monolithically", POST then PUT.
    package func putBlob(
        _ blob: Descriptor,
        to repository: Repository,
        from file: FileRange,
        session: UploadSession? = nil,
        sent: @escaping @Sendable (_ byteCount: Int64) -> Void
    ) async throws {
        let context = RequestContext(operation: "uploading the blob", subject: "\(repository)@\(blob.digest)")
        let registry = registry(repository.registry)
        let opened: UploadSession
        if let session {
            opened = session
        } else {
            let (request, response) = try await send(
                .POST,
                "/v2/\(repository.path)/blobs/uploads/",
                to: registry,
                headers: ["Content-Length": "0"],
                scopes: [Scope.push(repository)],
                context: context
            )
            opened = try self.session(response, of: request, context: context)
        }
        let (request, response) = try await send(
            .PUT,
            URLParts.appending("digest", blob.digest.description, to: opened.url),
            to: registry,
            headers: ["Content-Type": "application/octet-stream"],
            body: file.byteCount == 0 ? .bytes([]) : .file(file, sent: sent),
            scopes: [Scope.push(repository)],
            context: context
        )
        try response.expect([201, 204], of: request, context: context)
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
