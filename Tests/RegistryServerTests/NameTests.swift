import OCI
import TestSupport
import Testing

/// Spec: distribution "Pulling manifests": `<name>`.
@Suite struct NameTests {
    /// Names that look like parts of the API, and the longest.
    @Test(arguments: [
        "a", "blobs", "manifests", "tags", "uploads", "referrers", "v2", "tags/list", "blobs/uploads", "uploads/blobs",
        "manifests/latest", "a/blobs/uploads", "blobs/blobs/blobs", "a/tags/list", "list",
        "a.b_c__d-e--f/0", "a/b/c/d/e/f/g/h", String(repeating: "n", count: 255),
    ])
    func `a name is a repository on every path`(name: String) async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        let (bytes, digest) = try content(10, seed: 99)
        try await withServer { server in
            try await server.push(image, to: name, tag: "latest")
            #expect(try await server.ask("GET", "/v2/\(name)/manifests/latest").body == image.document.bytes)
            let layer = try #require(image.layers.first)
            #expect(try await server.ask("GET", "/v2/\(name)/blobs/\(layer.digest)").body == (try layer.bytes))
            let location = try await server.openUpload(in: name)
            #expect(location.hasPrefix("/v2/\(name)/blobs/uploads/"))
            #expect(try await server.ask("PATCH", location, body: bytes).status == 202)
            #expect(try await server.status(of: location).status == 204)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)").status == 201)
            let tags = try await server.ask("GET", "/v2/\(name)/tags/list")
            #expect(tags.text == #"{"name":"\#(name)","tags":["latest"]}"#)
            #expect(try await server.ask("GET", "/v2/\(name)/referrers/\(digest)").status == 200)
            #expect(server.storage.repositories() == [name])
            #expect(try await server.ask("DELETE", "/v2/\(name)/manifests/latest").status == 202)
        }
    }

    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    /// Every path that has a name, with a method that it takes.
    private static func paths(_ name: String) -> [(method: String, path: String)] {
        [
            ("GET", "/v2/\(name)/tags/list"), ("GET", "/v2/\(name)/manifests/latest"),
            ("PUT", "/v2/\(name)/manifests/latest"), ("DELETE", "/v2/\(name)/manifests/\(digest)"),
            ("GET", "/v2/\(name)/blobs/\(digest)"), ("DELETE", "/v2/\(name)/blobs/\(digest)"),
            ("POST", "/v2/\(name)/blobs/uploads/"), ("POST", "/v2/\(name)/blobs/uploads/?mount=\(digest)"),
            ("PATCH", "/v2/\(name)/blobs/uploads/00000000-0000-4000-8000-000000000000"),
            ("GET", "/v2/\(name)/referrers/\(digest)"),
        ]
    }

    /// What breaks the rules, and what would lead out of the directory or into another part of it.
    @Test(arguments: [
        "", "A", "App", "a/B", "a//b", "/a", "a/", "-a", "a-", ".a", "a.", "_a", "a_", "a___b", "a..b", "a._b", "a b",
        "a%20b", "a:b", "a@b", "a+b", "%C3%A4", "%ff", "%", "%4", "%zz", "a%2fb", "a%2Fb", "a%00", "%00", "a%0d%0ab",
        "..", "../a", "a/../b", "a/..", "./a", "a/./b", "%2e%2e", "%2e%2e%2fa", "..%2f..%2f..%2fetc", "a/%2e%2e/b",
        "..\\a", "a\\b", "_layers", "a/_manifests", "app/_uploads", "%5f_layers", "%252e%252e", "~", "a%3fb", "a%23b",
        String(repeating: "n", count: 256), String(repeating: "n/", count: 128) + "n",
    ])
    func `what is no name is refused on every path`(name: String) async throws {
        try await withServer { server in
            try await server.push([1], to: "app")
            let before = try Command("find", [server.root]).check().outputText
            for (method, path) in Self.paths(name) {
                // A client would not send a blank in a path; the parser refuses it before anything is looked at.
                guard !path.contains(" ") else {
                    #expect(try await server.ask(method, path).status == 400)
                    continue
                }
                expect(try await server.ask(method, path), 400, "NAME_INVALID", "\(method) \(path)")
            }
            #expect(try Command("find", [server.root]).check().outputText == before)
        }
    }

    /// A name may be escaped where nothing is hidden by it.
    @Test func `a name that is escaped is the same name`() async throws {
        try await withServer { server in
            let digest = try await server.push([1, 2], to: "app/one")
            #expect(try await server.ask("GET", "/v2/%61pp/%6fne/blobs/\(digest)").body == [1, 2])
            #expect(try await server.ask("GET", "/v2/app/one/blobs/\(digest)?x=..%2f").body == [1, 2])
        }
    }
}
