import NIOHTTP1
package import OCI

extension RegistryClient {
    /// Fetches a manifest or an index and verifies it.
    ///
    /// - Parameters:
    ///   - target: the tag or the digest. A digest must be the digest of the bytes.
    ///   - repository: where it is.
    ///   - expected: the descriptor of the parent, where there is one: its size must be right too.
    /// - Returns: the manifest, verified.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pulling manifests".
    package func fetchManifest(
        _ target: ManifestTarget,
        in repository: Repository,
        expected: Descriptor? = nil
    ) async throws -> Document {
        let context = RequestContext(operation: "fetching the manifest of", subject: target.name(in: repository))
        let registry = registry(repository.registry)
        return try await retrying(registry, context) {
            let (request, response) = try await attempt(
                .GET,
                "/v2/\(repository.path)/manifests/\(target)",
                to: registry,
                headers: accept(expected?.mediaType),
                scopes: [.pull(repository)],
                handling: .collect(limit: Document.byteLimit + 1),
                context: context
            )
            try response.expect([200], of: request, context: context)
            return try document(response, target: target, expected: expected, request: request, context: context)
        }
    }

    /// Puts a manifest or an index, its bytes as they are.
    ///
    /// - Returns: whether the registry has noted what it refers to, so that it lists it itself.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Pushing Manifests", "Pushing Manifests with Subject".
    @discardableResult
    package func putManifest(
        _ document: Document,
        as target: ManifestTarget,
        in repository: Repository
    ) async throws -> Bool {
        do {
            return try await put(document, as: target, in: repository)
        } catch var error as RegistryError {
            // docker-distribution calls it an unknown error of its own, and that a blob is unknown.
            guard let status = error.status, [400, 422, 500].contains(status), !document.foreignLayers.isEmpty else {
                throw error
            }
            error.reason =
                "it names where its makers have layers, which docker-distribution takes only where "
                + "validation.manifests.urls.allow does"
            throw error
        }
    }

    private func put(_ document: Document, as target: ManifestTarget, in repository: Repository) async throws -> Bool {
        let context = RequestContext(operation: "putting the manifest", subject: target.name(in: repository))
        let registry = registry(repository.registry)
        return try await retrying(registry, context) {
            let (request, response) = try await attempt(
                .PUT,
                "/v2/\(repository.path)/manifests/\(target)",
                to: registry,
                headers: ["Content-Type": document.descriptor.mediaType.rawValue],
                body: .bytes(document.bytes),
                scopes: [.push(repository)],
                context: context
            )
            try response.expect([201, 200, 202], of: request, context: context)
            let own = document.descriptor.digest
            if let stored = try response.contentDigest(of: request, context: context),
                stored.algorithm == own.algorithm, stored != own
            {
                throw RegistryError(.digestMismatch(expected: own, actual: stored), context, request: request.name)
            }
            return response.headers.first(name: "OCI-Subject") != nil
        }
    }

    /// What is asked for: every form that can be carried, and a type besides.
    func accept(_ type: MediaType?) -> HTTPHeaders {
        let types = MediaType.manifests + (type.map { MediaType.manifests.contains($0) ? [] : [$0] } ?? [])
        return ["Accept": types.map(\.rawValue).joined(separator: ", ")]
    }

    /// What the registry says of a manifest, or else its parent: some registries send a type of their own for all.
    private func declaredType(_ response: HTTPResponse, _ expected: Descriptor?) -> MediaType? {
        let types = [response.contentType, expected?.mediaType].compactMap(\.self)
        return types.first { $0.isKnownDocument || $0.isSchema1 } ?? types.first
    }

    private func document(
        _ response: HTTPResponse,
        target: ManifestTarget,
        expected: Descriptor?,
        request: HTTPRequest,
        context: RequestContext
    ) throws -> Document {
        func failure(_ code: RegistryError.Code) -> RegistryError {
            RegistryError(code, context, request: request.name, status: response.status)
        }
        if let expected, !response.bodyWasCut, expected.size != Int64(response.body.count) {
            throw failure(.sizeMismatch(expected: expected.size, actual: Int64(response.body.count)))
        }
        let stated = try response.contentDigest(of: request, context: context)
        let required: Digest? = if case .digest(let digest) = target { digest } else { stated }
        let document: Document
        do {
            document = try Document(
                bytes: response.body,
                declaredType: declaredType(response, expected),
                algorithm: required?.algorithm ?? .sha256
            )
        } catch {
            // Bytes that are not what was asked for are wrong bytes first, and no manifest second.
            let algorithm = required?.algorithm ?? .sha256
            let actual = try Digest.of(response.body, algorithm: algorithm)
            if let required, required != actual, !response.bodyWasCut {
                throw failure(.digestMismatch(expected: required, actual: actual))
            }
            throw failure(.unusableManifest(error))
        }
        if let required, required != document.descriptor.digest {
            throw failure(.digestMismatch(expected: required, actual: document.descriptor.digest))
        }
        // Whoever finds the manifest through its parent takes the parent's word for what it is.
        if let type = expected?.mediaType, type.isKnownDocument, type != document.descriptor.mediaType {
            throw failure(
                .unusableManifest(DocumentError(.typesDisagree(declared: type, own: document.descriptor.mediaType)))
            )
        }
        return document
    }
}

/// By what a manifest is addressed.
package enum ManifestTarget: Hashable, Sendable, CustomStringConvertible {
    case tag(Tag)
    case digest(Digest)

    /// Whether this is a tag.
    var isTag: Bool {
        guard case .tag = self else { return false }
        return true
    }

    /// What a reference means: its digest where it has one, else its tag, else `latest`.
    package init(_ reference: Reference) {
        self = reference.digest.map { .digest($0) } ?? .tag(reference.tag ?? .latest)
    }

    /// The tag or the digest as it stands in a URL.
    package var description: String {
        switch self {
        case .tag(let tag): tag.description
        case .digest(let digest): digest.description
        }
    }

    /// The reference as a person writes it.
    package func name(in repository: Repository) -> String {
        switch self {
        case .tag(let tag): "\(repository):\(tag)"
        case .digest(let digest): "\(repository)@\(digest)"
        }
    }
}

extension HTTPResponse {
    /// The media type without its parameters.
    var contentType: MediaType? {
        headers.first(name: "Content-Type").map { text in
            let type = text.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
            return MediaType(rawValue: String(Substring(type)))
        }
    }

    /// The digest that the registry states, nil where it states none.
    func contentDigest(of request: HTTPRequest, context: RequestContext) throws -> Digest? {
        guard let text = headers.first(name: "Docker-Content-Digest") else { return nil }
        do {
            return try Digest(parsing: text)
        } catch {
            throw RegistryError(
                .malformedAnswer,
                context,
                request: request.name,
                status: status,
                reason: "Docker-Content-Digest: \(error.description)"
            )
        }
    }
}
