import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Fetches the bytes of whatever a registry serves as a manifest, of any type and form, and verifies its digest.
    ///
    /// - Returns: the digest and the bytes; nil where there is no such manifest.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pulling manifests".
    package func fetchManifestBytes(
        _ target: ManifestTarget,
        in repository: Repository,
        for access: Access = .pull
    ) async throws -> (digest: Digest, bytes: [UInt8])? {
        let context = RequestContext(operation: "fetching the manifest of", subject: target.name(in: repository))
        let registry = registry(repository.registry)
        return try await retrying(registry, context) {
            let (request, response) = try await attempt(
                .GET,
                "/v2/\(repository.path)/manifests/\(target)",
                to: registry,
                headers: accept(.any),
                scopes: [access.scope(of: repository)],
                handling: .collect(limit: Document.byteLimit + 1),
                context: context
            )
            return try verified(response, target: target, request: request, context: context)
        }
    }

    private func verified(
        _ response: HTTPResponse,
        target: ManifestTarget,
        request: HTTPRequest,
        context: RequestContext
    ) throws -> (digest: Digest, bytes: [UInt8])? {
        if response.status == 404 { return nil }
        try response.expect([200], of: request, context: context)
        guard response.body.count <= Document.byteLimit, !response.bodyWasCut else {
            let error = DocumentError(.tooLarge(byteCount: response.body.count))
            throw RegistryError(.unusableManifest(error), context, request: request.name, status: response.status)
        }
        let stated = try response.contentDigest(of: request, context: context)
        let required: Digest? = if case .digest(let digest) = target { digest } else { stated }
        let actual = try Digest.of(response.body, algorithm: required?.algorithm ?? .sha256)
        if let required, required != actual {
            let code = RegistryError.Code.digestMismatch(expected: required, actual: actual)
            throw RegistryError(code, context, request: request.name, status: response.status)
        }
        return (actual, response.body)
    }

    /// What is asked for.
    func accept(_ types: ManifestTypes) -> HTTPHeaders {
        switch types {
        case .known: accept(nil)
        case .any: accept(MediaType(rawValue: "*/*"))
        }
    }
}

/// Which types of manifests are asked for.
package enum ManifestTypes: Sendable {
    /// Those that can be carried; a registry may say that there is no other.
    case known
    /// Whatever there is.
    case any
}
