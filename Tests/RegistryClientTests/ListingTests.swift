import OCI
import RegistryClient
import TestSupport
import Testing

@Suite struct ListingTests {
    /// Pages smaller and larger than the list, with the number of requests for five names.
    @Test(arguments: [(1, 5), (2, 3), (5, 1), (100, 1)])
    func `tags and repositories are listed over all pages`(pageSize: Int, requests: Int) async throws {
        let content = RegistryContent(pageSize: pageSize)
        let image = try ImageBuilder().index(of: [])
        let names = ["a", "b", "c", "d", "e"]
        for name in names {
            try content.add(image, repository: "x/\(name)", tag: "1")
            try content.add(image, repository: "x/a", tag: name)
        }
        let registry = try ScriptedRegistry(content.answer)
        let repository = try registry.repository("x/a")
        try await withClient { client in
            let repositories = try await client.repositories(of: registry.address)
            #expect(repositories == names.map { "x/\($0)" })
            #expect(client.requestCount == requests)
            let tags = try await client.tags(of: repository)
            #expect(tags == ["1"] + names)
        }
    }

    /// A page's body and its link, with what is listed.
    @Test(
        arguments: [
            (#"{"name":"app","tags":null}"#, []), (#"{"name":"app","tags":[]}"#, []), ("{}", []),
            (#"{"tags":["a"],"more":{"x":1}}"#, ["a"]),
        ] as [(String, [String])]
    )
    func `an empty list is a list`(body: String, expected: [String]) async throws {
        let registry = try ScriptedRegistry { _ in .text(body) }
        let repository = try registry.repository()
        let tags = try await withClient { try await $0.tags(of: repository) }
        #expect(tags == expected)
    }

    /// How the link to the second page is written, and the request that it becomes.
    @Test(arguments: [
        (#"</v2/app/tags/list?last=a%2Fb&n=1>; rel="next""#, "/v2/app/tags/list?last=a%2Fb&n=1"),
        (#"<http://ADDRESS/v2/app/tags/list?last=a>; rel="next""#, "/v2/app/tags/list?last=a"),
        (#"<?last=a>; rel="next""#, "/v2/app/tags/list?last=a"),
        (#"<list?last=a>; rel=next"#, "/v2/app/tags/list?last=a"),
        (#"</p>; rel="prev", </n>; rel="next""#, "/n"),
    ])
    func `the link is followed as it is`(link: String, target: String) async throws {
        let registry = try ScriptedRegistry { request in
            guard request.target == "/v2/app/tags/list" else { return .text(#"{"tags":["b"]}"#) }
            let link = link.replacing("ADDRESS", with: request.header("Host") ?? "")
            return .text(#"{"tags":["a"]}"#).with("Link", link)
        }
        let repository = try registry.repository()
        let tags = try await withClient { try await $0.tags(of: repository) }
        #expect(tags == ["a", "b"])
        #expect(registry.lines == ["GET /v2/app/tags/list", "GET \(target)"])
    }

    @Test func `an empty page with a link is not the end`() async throws {
        let registry = try ScriptedRegistry { request in
            request.query["last"] == nil
                ? .text(#"{"tags":[]}"#).with("Link", "<?last=x>; rel=next") : .text(#"{"tags":["b"]}"#)
        }
        let repository = try registry.repository()
        let tags = try await withClient { try await $0.tags(of: repository) }
        #expect(tags == ["b"])
    }

    @Test(arguments: [
        // To itself, and round in a circle of three.
        ("<?page=0>; rel=next", 2), ("<?page=NEXT>; rel=next", 4),
    ])
    func `pages that lead in a circle end`(link: String, requests: Int) async throws {
        let registry = try ScriptedRegistry { request in
            let next = ((request.query["page"].flatMap { Int($0) } ?? 0) + 1) % 3
            return .text(#"{"tags":["a"]}"#).with("Link", link.replacing("NEXT", with: "\(next)"))
        }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.tags(of: repository) }
        #expect(error.code == .malformedAnswer)
        #expect(error.reason == "its pages do not end")
        #expect(error.operation == "listing the tags of")
        #expect(error.subject == repository.description)
        #expect(registry.requests.count <= requests + 1)
    }

    @Test func `a page over 16 MiB is not read to its end`() async throws {
        let body = [UInt8](repeating: UInt8(ascii: " "), count: 64 << 20)
        let registry = try ScriptedRegistry { _ in Answer(body: body, transfer: .stalled(after: 17 << 20)) }
        let error = try await clientFailure { try await $0.repositories(of: registry.address) }
        #expect(error.code == .malformedAnswer)
        #expect(error.reason == "a page is larger than 16777216 bytes")
        #expect(error.subject == registry.address)
        #expect(error.description.contains("listing the repositories of \(registry.address)"))
    }

    @Test(arguments: ["", "<html>", "[]", #"{"tags":"a"}"#, #"{"tags":[1]}"#, #"{"tags":["a""#])
    func `what is no list is an error`(body: String) async throws {
        let registry = try ScriptedRegistry { _ in .text(body) }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.tags(of: repository) }
        #expect(error.code == .malformedAnswer)
        #expect(error.status == 200)
        #expect(error.reason == "it is not the JSON of a listing")
        #expect(error.request == "GET http://\(registry.address)/v2/app/tags/list")
    }

    @Test func `a repository that is not there, and a registry without a catalog`() async throws {
        let registry = try ScriptedRegistry { request in
            request.path == "/v2/_catalog" ? .error(405, "UNSUPPORTED") : .error(404, "NAME_UNKNOWN", "no such name")
        }
        let repository = try registry.repository()
        let missing = try await clientFailure { try await $0.tags(of: repository) }
        #expect(missing.code == .notFound)
        #expect(missing.registryMessages == ["NAME_UNKNOWN: no such name"])
        let unsupported = try await clientFailure { try await $0.repositories(of: registry.address) }
        #expect(unsupported.code == .unexpectedStatus)
        #expect(unsupported.status == 405)
        #expect(unsupported.subject == registry.address)
    }

    @Test func `a link to another host takes no credentials there`() async throws {
        let other = try ScriptedRegistry { _ in .text(#"{"tags":["b"]}"#) }
        let registry = try ScriptedRegistry { [address = other.address] request in
            request.header("Authorization") == nil
                ? Answer(401, headers: [("WWW-Authenticate", "Basic realm=x")])
                : .text(#"{"tags":["a"]}"#).with("Link", "<http://\(address)/next>; rel=next")
        }
        let repository = try registry.repository()
        let tags = try await withClient(signedIn()) { try await $0.tags(of: repository) }
        #expect(tags == ["a", "b"])
        #expect(other.requests.map { $0.header("Authorization") } == [nil])
    }

    @Test func `a link from https to http is not followed`() async throws {
        let plain = try ScriptedRegistry { _ in .text(#"{"tags":["b"]}"#) }
        let registry = try StaticTLSServer([
            "v2/app/tags/list": .text(#"{"tags":["a"]}"#).with("Link", "<http://\(plain.address)/>; rel=next")
        ])
        let repository = try Repository(registry: registry.address, path: "app")
        let error = try await clientFailure(registry.configuration()) { try await $0.tags(of: repository) }
        #expect(error.code == .malformedAnswer)
        #expect(error.reason == "its link to the next page leads from https to http")
        #expect(plain.requests.isEmpty)
    }
}
