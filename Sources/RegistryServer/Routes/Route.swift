import NIOHTTP1
import OCI

/// What a path names.
///
/// Spec: distribution "Endpoints".
enum Route {
    /// `/`, for those who look whether anything is there.
    case root
    /// `/healthz`
    case health
    /// `/v2/`
    case base
    /// `/v2/_catalog`, which is distribution's own.
    case catalog
    /// `/v2/<name>/tags/list`
    case tags(RepositoryPath)
    /// `/v2/<name>/manifests/<reference>`
    case manifest(RepositoryPath, String)
    /// `/v2/<name>/blobs/<digest>`
    case blob(RepositoryPath, String)
    /// `/v2/<name>/blobs/uploads/`
    case uploads(RepositoryPath)
    /// `/v2/<name>/blobs/uploads/<session>`
    case upload(RepositoryPath, String)
    /// `/v2/<name>/referrers/<digest>`
    case referrers(RepositoryPath, String)

    /// Reads a path from its end: a name may itself have components such as `blobs`.
    ///
    /// - Throws: ``APIError`` for a path of no route, and for a name that breaks the rules.
    init(path: String) throws(APIError) {
        switch path {
        case "/": self = .root
        case "/healthz": self = .health
        case "/v2", "/v2/": self = .base
        case "/v2/_catalog", "/v2/_catalog/": self = .catalog
        default:
            guard path.hasPrefix("/v2/") else { throw Self.unknown }
            self = try Self.inRepository(path.dropFirst(4))
        }
    }

    private static func inRepository(_ path: Substring) throws(APIError) -> Route {
        var parts: [String] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            guard let decoded = PercentEncoding.decode(part) else {
                throw APIError(.badRequest, .nameInvalid, "the path is not well encoded")
            }
            parts.append(decoded)
        }
        let last = parts.removeLast()
        let keyword = parts.popLast() ?? ""
        switch (keyword, last) {
        case ("tags", "list"): return .tags(try name(parts))
        case ("manifests", _): return .manifest(try name(parts), last)
        case ("referrers", _): return .referrers(try name(parts), last)
        case ("blobs", "uploads"): return .uploads(try name(parts))
        case ("blobs", _): return .blob(try name(parts), last)
        case ("uploads", _) where parts.last == "blobs":
            let repository = try name(parts.dropLast())
            return last.isEmpty ? .uploads(repository) : .upload(repository, last)
        default: throw unknown
        }
    }

    private static let unknown = APIError(.notFound, .unsupported, "the distribution API has no such path")

    private static func name(_ parts: some Sequence<String>) throws(APIError) -> RepositoryPath {
        do {
            // A slash that was escaped is not a separator, and no character of a name.
            let text = parts.map { $0.contains("/") ? "%" : $0 }.joined(separator: "/")
            return try RepositoryPath(parsing: text)
        } catch {
            throw APIError(.badRequest, .nameInvalid, "the repository's name is not valid")
        }
    }

    /// Whether using the route with this method changes the registry, or is part of doing so.
    func isWrite(_ method: HTTPMethod) -> Bool {
        switch self {
        case .uploads, .upload: true
        default: method != .GET && method != .HEAD
        }
    }

    /// The methods that the route has.
    var methods: [HTTPMethod] {
        switch self {
        case .root, .health, .base, .catalog, .tags, .referrers: [.GET, .HEAD]
        case .manifest: [.GET, .HEAD, .PUT, .DELETE]
        case .blob: [.GET, .HEAD, .DELETE]
        case .uploads: [.POST]
        case .upload: [.GET, .HEAD, .PATCH, .PUT, .DELETE]
        }
    }
}
