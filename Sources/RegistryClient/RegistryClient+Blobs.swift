import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Fetches a blob: each piece goes through the digest to the sink as it arrives.
    ///
    /// - Parameters:
    ///   - blob: what is expected: at most its size is read, and its size and digest are verified.
    ///   - repository: where it is.
    ///   - sink: takes the bytes in order; it has had all of them, verified, only when this returns.
    /// - Throws: ``RegistryError``, and what the sink throws.
    ///
    /// Spec: distribution "Pulling blobs".
    package func fetchBlob(
        _ blob: Descriptor,
        from repository: Repository,
        into sink: @escaping BlobSink
    ) async throws {
        let context = RequestContext(operation: "fetching the blob", subject: "\(repository)@\(blob.digest)")
        let (request, response) = try await send(
            .GET,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            to: registry(repository.registry),
            scopes: [Scope.pull(repository)],
            handling: .stream(blob, into: sink),
            context: context
        )
        try response.expect([200], of: request, context: context)
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
