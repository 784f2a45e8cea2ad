import FoundationEssentials
import NIOHTTP1
import OCI

extension RegistryAPI {
    /// The most entries of a page where the client asks for no number, and where it asks for more.
    private static let pageLimit = 10_000

    /// `GET /v2/_catalog`.
    func listRepositories(_ request: Request) async throws -> Response {
        struct Catalog: Encodable {
            let repositories: [String]
        }
        let store = store(for: request)
        let names = try await blocking { try store.repositories().map(\.description) }
        let page = try page(of: names, request, path: "/v2/_catalog")
        return page.response(Catalog(repositories: page.entries))
    }

    /// `GET /v2/<name>/tags/list`.
    ///
    /// Spec: distribution "Listing Tags".
    func listTags(in repository: RepositoryPath, _ request: Request) async throws -> Response {
        struct TagList: Encodable {
            let name: String
            let tags: [String]
        }
        let store = store(for: request)
        guard let tags = try await blocking({ try store.tags(in: repository)?.map(\.description) }) else {
            throw APIError(.notFound, .nameUnknown, "the registry has no such repository")
        }
        let page = try page(of: tags, request, path: "/v2/\(repository)/tags/list")
        return page.response(TagList(name: repository.description, tags: page.entries))
    }

    /// What follows `last`, at most `n` of it.
    private func page(of entries: [String], _ request: Request, path: String) throws(APIError) -> Page {
        var limit = Self.pageLimit
        if let text = request.query["n"] {
            guard let number = Int(text), number >= 0 else {
                throw APIError(.badRequest, .unsupported, "the parameter n is not a number of entries")
            }
            limit = min(limit, number)
        }
        let last = request.query["last"] ?? ""
        let rest = entries.drop { !last.utf8.lexicographicallyPrecedes($0.utf8) }
        let page = Array(rest.prefix(limit))
        guard let end = page.last, page.count < rest.count else { return Page(entries: page, next: nil) }
        let namespace = request.namespace.map { "&ns=\(PercentEncoding.encode($0))" } ?? ""
        return Page(entries: page, next: "\(path)?n=\(limit)&last=\(PercentEncoding.encode(end))\(namespace)")
    }
}

/// Some entries of a list, and where the next ones are.
private struct Page {
    let entries: [String]
    let next: String?

    func response(_ body: some Encodable) -> Response {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let next { headers.add(name: "Link", value: "<\(next)>; rel=\"next\"") }
        return Response(.ok, headers: headers, body: .bytes(JSONBody.encode(body)))
    }
}
