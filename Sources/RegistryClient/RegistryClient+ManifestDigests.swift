import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Asks for the digest of a manifest.
    ///
    /// - Parameters:
    ///   - target: the tag or the digest.
    ///   - repository: where it is.
    ///   - access: what the request belongs to.
    ///   - types: the types that are asked for: those that can be carried, or any.
    ///   - retryLimit: how often it is tried again; nil for as often as is configured.
    /// - Returns: the digest, nil where there is no such manifest.
    /// - Throws: ``RegistryError``.
    package func headManifest(
        _ target: ManifestTarget,
        in repository: Repository,
        for access: Access = .pull,
        types: ManifestTypes = .known,
        retryLimit: Int? = nil
    ) async throws -> Digest? {
        let context = RequestContext(operation: "looking up", subject: target.name(in: repository))
        let (request, response) = try await head(
            target,
            in: repository,
            for: access,
            types: types,
            retryLimit: retryLimit,
            context: context
        )
        if response.status == 404 { return nil }
        try response.expect([200], of: request, context: context)
        if case .digest(let digest) = target { return digest }
        guard let digest = try response.contentDigest(of: request, context: context) else {
            // Some registries answer HEAD without the digest; then the manifest itself tells.
            return switch types {
            case .known: try await fetchManifest(target, in: repository).descriptor.digest
            case .any: try await fetchManifestBytes(target, in: repository, for: access)?.digest
            }
        }
        return digest
    }

    /// Asks what a tag means, and never for the manifest itself.
    ///
    /// - Returns: the digest; nil where the registry does not tell it so. Then the manifest decides: some registries
    ///   refuse `HEAD` for what they give to `GET`, and only an answer to `GET` says why it is refused.
    /// - Throws: ``RegistryError`` where there is no answer, or none that is final.
    package func digest(of tag: Tag, in repository: Repository) async throws -> Digest? {
        let target = ManifestTarget.tag(tag)
        let context = RequestContext(operation: "looking up", subject: target.name(in: repository))
        let (request, response) = try await head(target, in: repository, for: .pull, types: .known, context: context)
        return response.status == 200 ? try response.contentDigest(of: request, context: context) : nil
    }

    private func head(
        _ target: ManifestTarget,
        in repository: Repository,
        for access: Access,
        types: ManifestTypes,
        retryLimit: Int? = nil,
        context: RequestContext
    ) async throws -> (request: HTTPRequest, response: HTTPResponse) {
        try await send(
            .HEAD,
            "/v2/\(repository.path)/manifests/\(target)",
            to: registry(repository.registry),
            headers: accept(types),
            scopes: [access.scope(of: repository)],
            retryLimit: retryLimit,
            context: context
        )
    }
}
