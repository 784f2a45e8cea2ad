import NIOCore
import NIOHTTP1
import OCI
import RegistryDirectory

extension RegistryAPI {
    /// `POST /v2/<name>/blobs/uploads/`: opens a session, mounts a blob, or takes one whole.
    ///
    /// Spec: distribution "Pushing blobs", "Single POST", "Mounting a blob from another repository".
    func openUpload(in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let directory = try directory()
        if let text = request.query["mount"] {
            let digest = try digest(text)
            // A source that has no valid name has no blobs.
            let source = request.query["from"].map { try? RepositoryPath(parsing: $0) }
            let isMounted = try await changing {
                if case .some(.none) = source { return false }
                return try directory.mountBlob(digest, from: source ?? nil, into: repository)
            }
            if isMounted { return created(digest, in: repository) }
        }
        if let text = request.query["digest"] {
            let digest = try digest(text)
            let upload = try await changing { try directory.openUpload(in: repository, algorithm: digest.algorithm) }
            return try await takeWhole(digest, into: upload, in: repository, request)
        }
        let algorithm = try algorithm(request)
        let upload = try await changing { try directory.openUpload(in: repository, algorithm: algorithm) }
        return accepted(.accepted, upload, in: repository)
    }

    /// `PATCH /v2/<name>/blobs/uploads/<session>`: takes the next piece.
    ///
    /// Spec: distribution "Pushing a blob in chunks".
    func continueUpload(_ id: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let upload = try await upload(id, in: repository)
        let claim = try await claim(upload, for: request, in: repository)
        try await receive(request.body, into: upload, claim, try contentRange(request))
        return accepted(.accepted, upload, in: repository)
    }

    /// `PUT /v2/<name>/blobs/uploads/<session>?digest=<digest>`: takes the last piece, or the only one, and ends.
    ///
    /// Spec: distribution "POST then PUT", "Pushing a blob in chunks".
    func endUpload(_ id: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        guard let text = request.query["digest"] else {
            throw APIError(.badRequest, .digestInvalid, "the parameter digest is missing")
        }
        let digest = try digest(text)
        let upload = try await upload(id, in: repository)
        let claim = try await claim(upload, hashing: digest.algorithm, for: request, in: repository)
        try await receive(request.body, into: upload, claim, try contentRange(request))
        try await changing { try upload.commit(as: digest, claim: claim) }
        return created(digest, in: repository)
    }

    /// `GET /v2/<name>/blobs/uploads/<session>`: says how far it is.
    func uploadStatus(_ id: String, in repository: RepositoryPath) async throws -> Response {
        accepted(.noContent, try await upload(id, in: repository), in: repository)
    }

    /// `DELETE /v2/<name>/blobs/uploads/<session>`: gives it up.
    func cancelUpload(_ id: String, in repository: RepositoryPath) async throws -> Response {
        let upload = try await upload(id, in: repository)
        try await changing { try upload.cancel() }
        return Response(.noContent)
    }

    // MARK: - Receiving

    /// Takes a blob that comes with its `POST`: without an address of its own it cannot be continued.
    private func takeWhole(
        _ digest: Digest,
        into upload: BlobUpload,
        in repository: RepositoryPath,
        _ request: Request
    ) async throws -> Response {
        do {
            let claim = try await changing { upload.claim() }
            try await receive(request.body, into: upload, claim, nil)
            try await changing { try upload.commit(as: digest, claim: claim) }
        } catch {
            // The first error is the one to tell; what is left is removed with the abandoned ones.
            try? await changing { try upload.cancel() }
            throw error
        }
        return created(digest, in: repository)
    }

    /// Writes a body to its place; the event loop receives the next piece while this one is hashed and written.
    ///
    /// A piece that is longer than its range is not taken where it goes beyond it.
    private func receive(
        _ body: RequestBody,
        into upload: BlobUpload,
        _ claim: BlobUpload.Claim,
        _ range: ContentRange?
    ) async throws {
        var received: Int64 = 0
        while let piece = try await body.next() {
            received += Int64(piece.readableBytes)
            if let range, received > range.byteCount { break }
            try await changing {
                try unsafe piece.withUnsafeReadableBytes { try unsafe upload.append($0, claim: claim) }
            }
        }
        if let range, received != range.byteCount { throw Self.disagreement }
    }

    /// Finds a session, in memory or on disk.
    private func upload(_ id: String, in repository: RepositoryPath) async throws -> BlobUpload {
        let directory = try directory()
        guard let upload = try await changing({ try directory.upload(id, in: repository) }) else {
            throw APIError(.notFound, .blobUploadUnknown, "the repository has no such upload session")
        }
        return upload
    }

    /// Takes a session for a request, unless its piece does not begin where the last one ended: then the request that is
    /// under way keeps it.
    private func claim(
        _ upload: BlobUpload,
        hashing algorithm: Digest.Algorithm? = nil,
        for request: Request,
        in repository: RepositoryPath
    ) async throws -> BlobUpload.Claim {
        let range = try contentRange(request)
        try check(range, upload, in: repository)
        let claim = try await changing { upload.claim(hashing: algorithm) }
        // Nothing more can come from the request that had it before.
        try check(range, upload, in: repository)
        return claim
    }

    private func check(_ range: ContentRange?, _ upload: BlobUpload, in repository: RepositoryPath) throws(APIError) {
        let byteCount = upload.byteCount
        guard let range, range.start != byteCount else { return }
        throw APIError(
            .rangeNotSatisfiable,
            .blobUploadInvalid,
            "the piece begins at byte \(range.start), the upload goes on at byte \(byteCount)",
            headers: uploadHeaders(upload, in: repository)
        )
    }

    /// Where a piece belongs, as its request says; nil where it says nothing.
    private func contentRange(_ request: Request) throws(APIError) -> ContentRange? {
        guard let header = request.headers.first(name: "content-range") else { return nil }
        guard let range = ContentRange(header) else {
            throw APIError(.badRequest, .blobUploadInvalid, "Content-Range is not start-end")
        }
        if let declared = request.body.declaredByteCount, declared != range.byteCount { throw Self.disagreement }
        return range
    }

    private static let disagreement = APIError(
        .badRequest,
        .sizeInvalid,
        "Content-Range is not as long as the piece that came with it"
    )

    /// The algorithm that a client announces, so that its bytes need not be read again when it is another.
    private func algorithm(_ request: Request) throws(APIError) -> Digest.Algorithm {
        guard let name = request.query["digest-algorithm"] else { return .sha256 }
        guard let algorithm = Digest.Algorithm(rawValue: name) else {
            throw APIError(.badRequest, .digestInvalid, "the digest's algorithm is neither sha256 nor sha512")
        }
        return algorithm
    }

    // MARK: - Answers

    private func accepted(
        _ status: HTTPResponseStatus,
        _ upload: BlobUpload,
        in repository: RepositoryPath
    ) -> Response { Response(status, headers: uploadHeaders(upload, in: repository)) }

    private func uploadHeaders(_ upload: BlobUpload, in repository: RepositoryPath) -> HTTPHeaders {
        [
            // A path alone holds behind every proxy, whatever it calls this host.
            "Location": "/v2/\(repository)/blobs/uploads/\(upload.id)",
            "Range": "0-\(max(0, upload.byteCount - 1))",
            "Docker-Upload-UUID": upload.id,
        ]
    }

    private func created(_ digest: Digest, in repository: RepositoryPath) -> Response {
        Response(
            .created,
            headers: ["Location": "/v2/\(repository)/blobs/\(digest)", "Docker-Content-Digest": digest.description]
        )
    }
}
