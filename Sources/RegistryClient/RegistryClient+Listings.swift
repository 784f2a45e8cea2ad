import NIOHTTP1
package import OCI

extension RegistryClient {
    /// The most bytes of one page of a listing.
    private static let pageByteLimit = 16 << 20
    /// The most bytes of all pages of a listing: a million names of repositories.
    private static let listingByteLimit = 64 << 20
    /// The most pages of a listing.
    package static let pageLimit = 100_000

    /// Lists the tags of a repository, in the registry's order.
    ///
    /// - Parameters:
    ///   - repository: the repository.
    ///   - pageLimit: the most pages that are read.
    /// - Returns: the tags.
    /// - Throws: ``RegistryError`` with `notFound` where there is no such repository, with `malformedAnswer` for a list
    ///   that is too long.
    ///
    /// Spec: distribution "Listing Tags".
    package func tags(of repository: Repository, pageLimit: Int = pageLimit) async throws -> [String] {
        let context = RequestContext(operation: "listing the tags of", subject: repository.description)
        return try await pages(
            "/v2/\(repository.path)/tags/list",
            of: repository.registry,
            scope: .pull(repository),
            pageLimit: pageLimit,
            context: context,
            entries: { RegistryAnswer.names(in: $0.body) }
        )
    }

    /// Lists the repositories of a registry, in the registry's order.
    ///
    /// Not every registry has such a list.
    ///
    /// - Throws: ``RegistryError``.
    package func repositories(of registry: String) async throws -> [String] {
        let context = RequestContext(operation: "listing the repositories of", subject: registry)
        return try await pages(
            "/v2/_catalog",
            of: registry,
            scope: .catalog,
            context: context,
            entries: { RegistryAnswer.names(in: $0.body) }
        )
    }

    /// Fetches all pages of a listing.
    ///
    /// Follows `Link` alone: a short page does not say that it is the last.
    ///
    /// - Parameters:
    ///   - path: the first page.
    ///   - name: the registry.
    ///   - scope: what the requests need to be allowed.
    ///   - pageLimit: the most pages that are read.
    ///   - staysAtHost: whether a redirect to another host is an answer, and not followed.
    ///   - context: what the requests are made for.
    ///   - entries: reads a page; nil where it is none.
    /// - Returns: the entries of all pages, in the registry's order.
    /// - Throws: ``RegistryError``.
    func pages<Entry>(
        _ path: String,
        of name: String,
        scope: Scope,
        pageLimit: Int = pageLimit,
        staysAtHost: Bool = false,
        context: RequestContext,
        entries: (HTTPResponse) -> [Entry]?
    ) async throws -> [Entry] {
        let registry = registry(name)
        var result: [Entry] = []
        var next: String? = path
        var seen: Set<String> = []
        var byteCount = 0
        while let url = next {
            func fetch() async throws -> (request: HTTPRequest, response: HTTPResponse) {
                let (request, response) = try await send(
                    .GET,
                    url,
                    to: registry,
                    scopes: [scope],
                    handling: .collect(limit: Self.pageByteLimit),
                    staysAtHost: staysAtHost,
                    context: context
                )
                try response.expect([200], of: request, context: context)
                return (request, response)
            }
            var (request, response) = try await fetch()
            var found = entries(response)
            // No digest tells of it, so what the way may have spoilt is fetched once more.
            if found == nil, !response.bodyWasCut {
                (request, response) = try await fetch()
                found = entries(response)
            }
            func malformed(_ reason: String) -> RegistryError {
                RegistryError(
                    .malformedAnswer,
                    context,
                    request: request.name,
                    status: response.status,
                    reason: reason
                )
            }
            guard seen.insert(url).inserted, seen.count <= pageLimit else {
                throw malformed("its pages do not end")
            }
            guard !response.bodyWasCut else { throw malformed("a page is larger than \(Self.pageByteLimit) bytes") }
            guard let page = found else { throw malformed("it is not the JSON of a listing") }
            result += page
            byteCount += response.body.count
            guard byteCount <= Self.listingByteLimit else {
                throw malformed("the listing is larger than \(ByteText.size(Int64(Self.listingByteLimit)))")
            }
            next = try response.headers["Link"].lazy.compactMap(Link.next).first.map { link in
                guard let target = URLParts.resolve(link, against: response.url) else {
                    throw malformed("its link to the next page is no URL")
                }
                guard !RedirectPolicy.isDowngrade(from: response.url, to: target) else {
                    throw malformed("its link to the next page leads from https to http")
                }
                return target
            }
        }
        return result
    }
}
