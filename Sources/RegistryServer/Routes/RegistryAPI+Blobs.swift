import NIOHTTP1
import OCI
import RegistryDirectory

extension RegistryAPI {
    /// `GET` and `HEAD /v2/<name>/blobs/<digest>`, whole or one range of it.
    ///
    /// Spec: distribution "Pulling blobs", RFC 9110 "Range Requests".
    func fetchBlob(_ text: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let digest = try digest(text)
        let store = store(for: request)
        guard let blob = try await blocking({ try store.blob(digest, in: repository) }) else {
            throw APIError(.notFound, .blobUnknown, "the repository has no such blob")
        }
        var headers = contentHeaders(of: digest)
        headers.add(name: "Content-Type", value: "application/octet-stream")
        headers.add(name: "Accept-Ranges", value: "bytes")
        // What a digest names never changes.
        headers.add(name: "Cache-Control", value: "max-age=31536000, immutable")
        if request.hasCurrent(digest) { return Response(.notModified, headers: headers) }
        let whole = Response(.ok, headers: headers, body: .blob(blob, 0..<blob.byteCount))
        guard request.method == .GET, request.wantsRange(of: digest) else { return whole }
        switch ByteRange(request.headers.first(name: "range"), byteCount: blob.byteCount) {
        case .whole: return whole
        case .part(let range):
            headers.add(
                name: "Content-Range",
                value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(blob.byteCount)"
            )
            return Response(.partialContent, headers: headers, body: .blob(blob, range))
        case .unsatisfiable:
            throw APIError(
                .rangeNotSatisfiable,
                .sizeInvalid,
                "the blob has \(blob.byteCount) bytes",
                headers: ["Content-Range": "bytes */\(blob.byteCount)"]
            )
        }
    }

    /// `DELETE /v2/<name>/blobs/<digest>`.
    ///
    /// Spec: distribution "Deleting Blobs".
    func deleteBlob(_ text: String, in repository: RepositoryPath) async throws -> Response {
        let digest = try digest(text)
        let directory = try directory()
        guard try await changing({ try directory.deleteBlob(digest, in: repository) }) else {
            throw APIError(.notFound, .blobUnknown, "the repository has no such blob")
        }
        return Response(.accepted)
    }

    /// The headers that tell a client what it is given.
    func contentHeaders(of digest: Digest) -> HTTPHeaders {
        ["Docker-Content-Digest": digest.description, "ETag": "\"\(digest)\""]
    }
}

extension Request {
    /// Whether the client has this content already.
    ///
    /// Spec: RFC 9110 "If-None-Match".
    func hasCurrent(_ digest: Digest) -> Bool {
        headers[canonicalForm: "if-none-match"].contains { tag in
            let value = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
            return value == "*" || value == "\"\(digest)\"" || value == digest.description
        }
    }

    /// Whether a range is wanted even of this content, and not only of what the client had a part of before.
    ///
    /// Spec: RFC 9110 "If-Range".
    func wantsRange(of digest: Digest) -> Bool {
        headers.first(name: "if-range").map { $0 == "\"\(digest)\"" } ?? true
    }
}
