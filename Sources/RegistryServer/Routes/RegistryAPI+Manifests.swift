import NIOHTTP1
import OCI
import RegistryDirectory

extension RegistryAPI {
    /// `GET` and `HEAD /v2/<name>/manifests/<reference>`.
    ///
    /// Spec: distribution "Pulling manifests".
    func fetchManifest(_ text: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let reference = try manifestReference(text)
        let store = store(for: request)
        let found = try await blocking { () -> (Digest, [UInt8], MediaType)? in
            guard let digest = try store.resolve(reference, in: repository),
                let bytes = try store.manifest(digest, in: repository)
            else { return nil }
            return (digest, bytes, MediaType(ofStored: bytes))
        }
        guard let (digest, bytes, type) = found else { throw Self.unknownManifest }
        var headers = contentHeaders(of: digest)
        headers.add(name: "Content-Type", value: type.rawValue)
        if request.hasCurrent(digest) { return Response(.notModified, headers: headers) }
        return Response(.ok, headers: headers, body: .bytes(bytes))
    }

    /// `PUT /v2/<name>/manifests/<reference>`.
    ///
    /// Children of an index and a subject need not be there; the blobs of an image have to be. One that is put by its
    /// digest may be given tags with it, by the parameter `tag`.
    ///
    /// Spec: distribution "Pushing Manifests", "Pushing Manifests with Subject".
    func putManifest(_ text: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let reference = try manifestReference(text)
        let tags = try tags(for: reference, request)
        let directory = try directory()
        guard let bytes = try await request.body.bytes(limit: Document.byteLimit) else {
            throw APIError(
                .payloadTooLarge,
                .sizeInvalid,
                "the manifest is too large; at most \(Document.byteLimit) bytes are accepted"
            )
        }
        let wanted = reference.digest
        let (document, fields) = try await blocking { try Self.read(bytes, algorithm: wanted?.algorithm ?? .sha256) }
        let digest = document.descriptor.digest
        guard wanted == nil || wanted == digest else {
            throw APIError(.badRequest, .digestInvalid, "the manifest's digest is \(digest)")
        }
        try checkType(of: document, request)
        let subject = fields.subject?.digest
        let missing = try await changing {
            try directory.putManifest(
                bytes,
                digest: digest,
                tags: tags,
                needing: document.requiredBlobs,
                in: repository
            )
        }
        guard missing.isEmpty else {
            let list = missing.prefix(8).map(\.description).joined(separator: ", ")
            throw APIError(
                .notFound,
                .manifestBlobUnknown,
                "the manifest's blobs are not all in the repository; missing: \(list)"
                    + (missing.count > 8 ? " and \(missing.count - 8) more" : "")
            )
        }
        var headers: HTTPHeaders = [
            "Location": "/v2/\(repository)/manifests/\(digest)", "Docker-Content-Digest": digest.description,
        ]
        if let subject {
            await referrers.add(digest, referringTo: subject, in: repository)
            headers.add(name: "OCI-Subject", value: subject.description)
        }
        if wanted != nil { headers.add(contentsOf: tags.map { ("OCI-Tag", $0.description) }) }
        return Response(.created, headers: headers)
    }

    /// `DELETE /v2/<name>/manifests/<reference>`: a tag alone, or a manifest with the tags that point at it.
    ///
    /// Spec: distribution "Deleting tags", "Deleting Manifests".
    func deleteManifest(_ text: String, in repository: RepositoryPath) async throws -> Response {
        let reference = try manifestReference(text)
        let directory = try directory()
        let isDeleted = try await changing {
            switch reference {
            case .tag(let tag): try directory.deleteTag(tag, in: repository)
            case .digest(let digest): try directory.deleteManifest(digest, in: repository)
            }
        }
        guard isDeleted else { throw Self.unknownManifest }
        return Response(.accepted)
    }

    // MARK: - Parts

    /// The most tags that a manifest is given by one request.
    private static let tagLimit = 100

    private static let unknownManifest = APIError(.notFound, .manifestUnknown, "the repository has no such manifest")

    private func manifestReference(_ text: String) throws(APIError) -> TagOrDigest {
        do {
            return try TagOrDigest(parsing: text)
        } catch {
            throw error.code == .invalidTag
                ? APIError(.badRequest, .manifestInvalid, "the tag is not valid")
                : APIError(.badRequest, .digestInvalid, "the digest is not valid: \(error)")
        }
    }

    /// The tags that a manifest is put under: the one that it is put by, or those that come with its digest.
    private func tags(for reference: TagOrDigest, _ request: Request) throws(APIError) -> [Tag] {
        if case .tag(let tag) = reference { return [tag] }
        let texts = request.query.all("tag")
        guard texts.count <= Self.tagLimit else {
            throw APIError(.uriTooLong, .manifestInvalid, "at most \(Self.tagLimit) tags are taken at once")
        }
        var tags: [Tag] = []
        for text in texts {
            guard case .tag(let tag) = try manifestReference(text) else {
                throw APIError(.badRequest, .manifestInvalid, "the tag is not valid")
            }
            tags.append(tag)
        }
        return tags
    }

    private static func read(
        _ bytes: [UInt8],
        algorithm: Digest.Algorithm
    ) throws(APIError) -> (Document, ManifestFields) {
        do {
            let document = try Document(bytes: bytes, declaredType: nil, algorithm: algorithm)
            return (document, try ManifestFields(parsing: bytes))
        } catch {
            throw APIError(.badRequest, .manifestInvalid, error.description)
        }
    }

    /// The type is not stored but read from the manifest again, so that has to give what the client says.
    private func checkType(of document: Document, _ request: Request) throws(APIError) {
        guard document.descriptor.mediaType.isWellFormed else {
            throw APIError(.badRequest, .manifestInvalid, "the manifest's mediaType is not the name of a type")
        }
        guard let header = request.headers.first(name: "content-type") else { return }
        let declared = header.prefix { $0 != ";" }.trimmingBlanks
        guard declared == document.descriptor.mediaType.rawValue else {
            throw APIError(
                .badRequest,
                .manifestInvalid,
                "the manifest is of type \(document.descriptor.mediaType.rawValue.printableExcerpt), "
                    + "Content-Type says \(String(declared).printableExcerpt)"
            )
        }
    }
}

extension TagOrDigest {
    /// The digest, where this is one.
    fileprivate var digest: Digest? {
        guard case .digest(let digest) = self else { return nil }
        return digest
    }
}

extension Document {
    /// The blobs that a registry must have before it takes this: all but those that are had elsewhere.
    fileprivate var requiredBlobs: [Digest] {
        blobs.filter { !$0.mediaType.isNondistributable }.map(\.digest)
    }
}

extension RegistryStore {
    /// What a tag or a digest means in a repository; nil for a tag that is not there.
    func resolve(_ reference: TagOrDigest, in repository: RepositoryPath) throws -> Digest? {
        switch reference {
        case .tag(let tag): try digest(of: tag, in: repository)
        case .digest(let digest): digest
        }
    }
}
