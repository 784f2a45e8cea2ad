import OCI
import TestSupport
import Testing

/// Spec: distribution "Listing Tags"; `_catalog` is distribution's own and goes by the same rules.
@Suite struct ListingTests {
    private struct TagList: Decodable {
        let name: String
        let tags: [String]
    }

    private struct Catalog: Decodable { let repositories: [String] }

    private static let tags = ["v1", "1.0", "latest", "_x", "V1", "v10", "v2", "a-b", "a.b", "Latest"]
    /// By their bytes: digits, capitals, the underscore, small letters.
    private static let sorted = ["1.0", "Latest", "V1", "_x", "a-b", "a.b", "latest", "v1", "v10", "v2"]

    private func withTags<Result: Sendable>(_ body: @escaping @Sendable (TestServer) async throws -> Result)
        async throws
        -> Result
    {
        var builder = ImageBuilder()
        let image = try builder.image()
        return try await withServer { server in
            try await server.push(image, to: "some/app")
            let parameters = Self.tags.map { "tag=\($0)" }.joined(separator: "&")
            let answer = try await server.put(image.document, to: "some/app", as: "\(image.digest)?\(parameters)")
            try #require(answer.status == 201)
            return try await body(server)
        }
    }

    private func list(_ server: TestServer, _ parameters: String = "") async throws -> (tags: [String], link: String?) {
        let answer = try await server.ask("GET", "/v2/some/app/tags/list\(parameters)")
        try #require(answer.status == 200, "\(parameters)")
        #expect(answer.headers("Content-Type") == ["application/json"])
        let list = try answer.json(as: TagList.self)
        #expect(list.name == "some/app")
        return (list.tags, answer.header("Link"))
    }

    @Test func `tags are listed in their order`() async throws {
        try await withTags { server in
            #expect(try await list(server) == (Self.sorted, nil))
            let head = try await server.ask("HEAD", "/v2/some/app/tags/list")
            let body = try await server.ask("GET", "/v2/some/app/tags/list").body
            #expect(head.status == 200 && head.headers("Content-Length") == [String(body.count)])
        }
    }

    /// `last` is a place in the order, whether there is such a tag or not, and does not belong to what follows it.
    @Test(arguments: [
        ("?n=3", 0..<3, true), ("?n=10", 0..<10, false), ("?n=11", 0..<10, false), ("?n=100000", 0..<10, false),
        ("?n=9", 0..<9, true), ("?last=Latest", 2..<10, false), ("?last=Lb", 2..<10, false), ("?last=v2", 0..<0, false),
        ("?last=zzz", 0..<0, false), ("?last=", 0..<10, false), ("?n=2&last=_x", 4..<6, true),
        ("?last=_x&n=6", 4..<10, false), ("?last=a%2Db", 5..<10, false), ("?n=", 0..<0, nil), ("?n=0", 0..<0, false),
        ("?n=0&last=a-b", 0..<0, false),
    ])
    func `part of the tags is listed`(parameters: String, range: Range<Int>, hasMore: Bool?) async throws {
        try await withTags { server in
            guard let hasMore else {
                let answer = try await server.ask("GET", "/v2/some/app/tags/list\(parameters)")
                return expect(answer, 400, "UNSUPPORTED")
            }
            let (tags, link) = try await list(server, parameters)
            #expect(tags == Array(Self.sorted[range]))
            #expect((link != nil) == hasMore)
        }
    }

    @Test(arguments: ["-1", "x", "1.5", "0x10", "%201", "99999999999999999999999", "1,2"])
    func `a number that is none is refused`(number: String) async throws {
        try await withTags { server in
            for path in ["/v2/some/app/tags/list", "/v2/_catalog"] {
                expect(try await server.ask("GET", "\(path)?n=\(number)"), 400, "UNSUPPORTED", "\(path)")
            }
        }
    }

    /// Follows the links from a path to their end and gives what the pages had.
    private func follow<Page: Decodable>(_ path: String, _ server: TestServer, _ type: Page.Type) async throws -> [Page]
    {
        var pages: [Page] = []
        var next: String? = path
        while let path = next, pages.count < 100 {
            let answer = try await server.ask("GET", path)
            try #require(answer.status == 200, "\(path)")
            pages.append(try answer.json(as: type))
            guard let link = answer.header("Link") else { break }
            let match = try #require(link.wholeMatch(of: /<([^>]+)>; rel="next"/), "\(link)")
            next = String(match.1)
        }
        return pages
    }

    @Test(arguments: 1...4)
    func `the links lead through all of it`(count: Int) async throws {
        try await withTags { server in
            let tags = try await follow("/v2/some/app/tags/list?n=\(count)", server, TagList.self).map(\.tags)
            #expect(tags.flatMap(\.self) == Self.sorted)
            #expect(tags.dropLast().allSatisfy { $0.count == count })
            #expect(tags.last?.isEmpty == false)

            let names = ["a", "a/b", "a-b", "some/app", "z.z/y__y"]
            for name in names where name != "some/app" { try await server.push([1], to: name) }
            let pages = try await follow("/v2/_catalog?n=\(count)", server, Catalog.self).map(\.repositories)
            #expect(pages.flatMap(\.self) == ["a", "a-b", "a/b", "some/app", "z.z/y__y"])
            #expect(pages.dropLast().allSatisfy { $0.count == count })
        }
    }

    @Test func `a repository that there is not has no tags`() async throws {
        try await withTags { server in
            for name in ["nowhere", "some", "some/app/deeper"] {
                expect(try await server.ask("GET", "/v2/\(name)/tags/list"), 404, "NAME_UNKNOWN", "\(name)")
            }
        }
    }

    @Test func `a repository without tags has an empty list`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            #expect(try await server.ask("GET", "/v2/_catalog").text == #"{"repositories":[]}"#)
            try await server.push(image, to: "some/app", tag: "v1")
            #expect(try await server.ask("DELETE", "/v2/some/app/manifests/v1").status == 202)
            #expect(try await list(server) == ([], nil))
            #expect(try await server.ask("GET", "/v2/some/app/tags/list").text == #"{"name":"some/app","tags":[]}"#)
            #expect(try await server.ask("GET", "/v2/_catalog").text == #"{"repositories":["some/app"]}"#)
        }
    }
}
