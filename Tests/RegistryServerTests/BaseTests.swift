import TestSupport
import Testing

/// What is there beside the repositories, and what is not there.
@Suite struct BaseTests {
    /// Spec: distribution "Determining Support".
    @Test func `the base path says that this is a registry`() async throws {
        try await withServer { server in
            for path in ["/v2/", "/v2", "/v2/?ns=docker.io"] {
                let answer = try await server.ask("GET", path)
                #expect(answer.status == 200 && answer.text == "{}", "\(path)")
                #expect(answer.headers("Content-Type") == ["application/json"])
                #expect(answer.headers("Docker-Distribution-Api-Version") == ["registry/2.0"])
                #expect(answer.headers("Content-Length") == ["2"])
                let head = try await server.ask("HEAD", path)
                #expect(head.status == 200 && head.headers("Content-Length") == ["2"], "\(path)")
            }
        }
    }

    @Test func `health and root are answered without a body`() async throws {
        try await withServer { server in
            for (method, path) in [("GET", "/"), ("HEAD", "/"), ("GET", "/healthz"), ("HEAD", "/healthz")] {
                let answer = try await server.ask(method, path)
                #expect(answer.status == 200 && answer.body.isEmpty, "\(path)")
                #expect(answer.headers("Content-Length") == ["0"])
                #expect(answer.headers("Cache-Control") == ["no-cache"])
            }
        }
    }

    @Test func `a directory that went away is told by the health check`() async throws {
        let scratch = try ScratchDirectory()
        let root = scratch.path("registry")
        try scratch.write("", to: "registry/docker/registry/v2/.keep")
        try await withServer(on: root) { server in
            #expect(try await server.ask("GET", "/healthz").status == 200)
            try Command("mv", [root, scratch.path("elsewhere")]).check()
            expect(try await server.ask("GET", "/healthz"), 503, "UNKNOWN")
            try Command("mv", [scratch.path("elsewhere"), root]).check()
            #expect(try await server.ask("GET", "/healthz").status == 200)
        }
    }

    @Test(arguments: [
        "/v3/", "/v1/_ping", "/v2x", "/v2/app", "/v2/app/tags", "/v2/app/tags/all", "/v2/app/manifest/latest",
        "/v2/app/blobs/uploads/x/y", "/v2/_catalogs", "/healthz/", "//", "/favicon.ico", "*",
    ])
    func `a path of no route is not found`(path: String) async throws {
        try await withServer { server in
            expect(try await server.ask("GET", path), 404, "UNSUPPORTED")
            expect(try await server.ask("PUT", path, body: [1, 2, 3]), 404, "UNSUPPORTED")
            try await expectAlive(server)
        }
    }

    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    @Test(arguments: [
        ("POST", "/", "GET, HEAD"), ("PUT", "/healthz", "GET, HEAD"), ("DELETE", "/v2/", "GET, HEAD"),
        ("POST", "/v2/_catalog", "GET, HEAD"), ("POST", "/v2/app/tags/list", "GET, HEAD"),
        ("DELETE", "/v2/app/referrers/\(digest)", "GET, HEAD"),
        ("PATCH", "/v2/app/manifests/latest", "GET, HEAD, PUT, DELETE"),
        ("POST", "/v2/app/manifests/latest", "GET, HEAD, PUT, DELETE"),
        ("PUT", "/v2/app/blobs/\(digest)", "GET, HEAD, DELETE"),
        ("GET", "/v2/app/blobs/uploads/", "POST"), ("DELETE", "/v2/app/blobs/uploads", "POST"),
        ("POST", "/v2/app/blobs/uploads/x", "GET, HEAD, PATCH, PUT, DELETE"),
        ("OPTIONS", "/v2/app/blobs/\(digest)", "GET, HEAD, DELETE"),
    ])
    func `a method that a path has not is refused with those it has`(method: String, path: String, allowed: String)
        async throws
    {
        try await withServer { server in
            let answer = try await server.ask(method, path)
            expect(answer, 405, "UNSUPPORTED")
            #expect(answer.headers("Allow") == [allowed])
            try await expectAlive(server)
        }
    }
}
