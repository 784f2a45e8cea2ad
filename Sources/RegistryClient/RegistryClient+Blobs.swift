import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Fetches a blob: each piece goes through the digest to the sink as it arrives.
    ///
    /// A blob that breaks off continues after the last byte that the sink has taken. Where the registry will not have
    /// that, or bytes were wrong, it begins again.
    ///
    /// - Parameters:
    ///   - blob: what is expected: at most its size is read, and its size and digest are verified.
    ///   - repository: where it is.
    ///   - prefix: what the sink has had of it in an earlier run.
    ///   - sink: takes the bytes in order; it has had all of them, verified, only when this returns.
    ///   - restarting: hears when the blob begins again, with the number of bytes that the sink was given in vain.
    /// - Throws: ``RegistryError``, and what the sink throws.
    ///
    /// Spec: distribution "Pulling blobs"; RFC 9110 "Range Requests".
    package func fetchBlob(
        _ blob: Descriptor,
        from repository: Repository,
        after prefix: sending BlobPrefix? = nil,
        into sink: @escaping BlobSink,
        restarting: @escaping @Sendable (_ byteCount: Int64) -> Void = { _ in }
    ) async throws {
        let context = RequestContext(operation: "fetching the blob", subject: "\(repository)@\(blob.digest)")
        let download = BlobDownload(
            blob,
            after: prefix,
            context: context,
            sink: sink,
            restarting: restarting
        )
        let registry = registry(repository.registry)
        try await retrying(registry, context, reached: download.furthest) {
            do {
                guard try !download.isWhole() else { return }
                try await fetch(download, blob.digest, from: repository, context)
            } catch is BlobDownload.RangeRefused {
                download.stopContinuing()
                try await fetch(download, blob.digest, from: repository, context)
            } catch is BlobDownload.PrefixDamaged {
                try await fetch(download, blob.digest, from: repository, context)
            }
        }
    }

    /// Asks once for what is missing.
    private func fetch(
        _ download: BlobDownload,
        _ digest: Digest,
        from repository: Repository,
        _ context: RequestContext
    ) async throws {
        // Through the registry each time: where it redirects to is good for a while only.
        let (request, response) = try await attempt(
            .GET,
            "/v2/\(repository.path)/blobs/\(digest)",
            to: registry(repository.registry),
            headers: download.nextHeaders(),
            scopes: [Scope.pull(repository)],
            handling: .stream(download),
            context: context
        )
        try response.expect(download.statuses, of: request, context: context)
    }

    /// Asks whether a repository has a blob.
    ///
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Checking if content exists in the registry".
    package func hasBlob(
        _ blob: Descriptor,
        in repository: Repository,
        for access: Access = .pull
    ) async throws -> Bool {
        let context = RequestContext(operation: "looking up the blob", subject: "\(repository)@\(blob.digest)")
        let (request, response) = try await send(
            .HEAD,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            to: registry(repository.registry),
            scopes: [access.scope(of: repository)],
            context: context
        )
        if response.status == 404 { return false }
        try response.expect([200], of: request, context: context)
        return true
    }
}
