import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import OCI
import RegistryDirectory

/// The distribution API: one handler a route.
///
/// The handlers stand in files by what they are about: `+Manifests`, `+Blobs`, `+Uploads`, `+Listings`, `+Referrers`.
struct RegistryAPI: Sendable {
    let content: ServedContent
    let access: AccessControl
    let referrers: ReferrersIndex
    /// Where files are read: nothing of that on an event loop.
    let readers: NIOThreadPool
    /// Where files are written, so that whoever waits for the disk to take something holds up no pull.
    let writers: NIOThreadPool
    let logger: Logger

    /// Answers a request; what goes wrong becomes an answer too.
    ///
    /// - Throws: ``RequestBody/Disconnected`` and ``StalledConnection``, when there is nobody to answer.
    func answer(_ request: Request, _ entry: inout AccessLog.Entry) async throws -> Response {
        do {
            if let fault = request.fault { throw fault }
            let route = try Route(path: request.path)
            guard route.methods.contains(request.method) else {
                throw APIError(
                    .methodNotAllowed,
                    .unsupported,
                    "this path has no method \(request.method.rawValue.printableExcerpt)",
                    headers: ["Allow": route.methods.map(\.rawValue).joined(separator: ", ")]
                )
            }
            guard !route.isWrite(request.method) || content.writableDirectory != nil else { throw Self.isReadOnly }
            if let user = try await access.authorize(request, route) { entry.setUser(user) }
            return try await handle(route, request)
        } catch let error as RequestBody.Disconnected {
            throw error
        } catch let error as StalledConnection {
            throw error
        } catch {
            let failure = error as? APIError ?? APIError(storing: error)
            if let cause = failure.cause { entry.setCause(cause) }
            return failure.response
        }
    }

    private func handle(_ route: Route, _ request: Request) async throws -> Response {
        switch (route, request.method) {
        case (.root, _): Response(.ok, headers: ["Cache-Control": "no-cache"])
        case (.health, _): try await checkHealth()
        case (.base, _): Response(.ok, headers: ["Content-Type": "application/json"], body: .bytes(Array("{}".utf8)))
        case (.catalog, _): try await listRepositories(request)
        case (.tags(let repository), _): try await listTags(in: repository, request)
        case (.referrers(let repository, let subject), _):
            try await listReferrers(of: subject, in: repository, request)
        case (.manifest(let repository, let reference), .PUT):
            try await putManifest(reference, in: repository, request)
        case (.manifest(let repository, let reference), .DELETE):
            try await deleteManifest(reference, in: repository)
        case (.manifest(let repository, let reference), _):
            try await fetchManifest(reference, in: repository, request)
        case (.blob(let repository, let digest), .DELETE): try await deleteBlob(digest, in: repository)
        case (.blob(let repository, let digest), _): try await fetchBlob(digest, in: repository, request)
        case (.uploads(let repository), _): try await openUpload(in: repository, request)
        case (.upload(let repository, let id), .PATCH): try await continueUpload(id, in: repository, request)
        case (.upload(let repository, let id), .PUT): try await endUpload(id, in: repository, request)
        case (.upload(let repository, let id), .DELETE): try await cancelUpload(id, in: repository)
        case (.upload(let repository, let id), _): try await uploadStatus(id, in: repository)
        }
    }

    // MARK: - What the handlers share

    /// What is read from, for this request.
    func store(for request: Request) -> any RegistryStore { content.store(forNamespace: request.namespace) }

    private static let isReadOnly = APIError(
        .methodNotAllowed,
        .unsupported,
        "this registry is read-only",
        headers: ["Allow": "GET, HEAD"]
    )

    /// What is written to.
    func directory() throws(APIError) -> RegistryDirectory {
        guard let directory = content.writableDirectory else {
            throw Self.isReadOnly
        }
        return directory
    }

    /// Reads what may block, off the event loops and the threads of Swift's tasks.
    func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await readers.runIfActive(work)
    }

    /// Changes what is stored, on threads of their own.
    func changing<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await writers.runIfActive(work)
    }

    /// Reads a digest from a path or a query.
    func digest(_ text: String) throws(APIError) -> Digest {
        do {
            return try Digest(parsing: text)
        } catch {
            throw APIError(.badRequest, .digestInvalid, "the digest is not valid: \(error)")
        }
    }

    /// Whether what is served can still be reached, as after a disk went away it cannot.
    private func checkHealth() async throws -> Response {
        if let directory = content.directory {
            let mode = R_OK | X_OK | (content.isReadOnly ? 0 : W_OK)
            guard try await blocking({ unsafe Glibc.access(directory.path, mode) == 0 }) else {
                throw APIError(.serviceUnavailable, .unknown, "the registry's directory cannot be used")
            }
        }
        return Response(.ok, headers: ["Cache-Control": "no-cache"])
    }
}
