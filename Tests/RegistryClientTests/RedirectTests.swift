import OCI
import RegistryClient
import Synchronization
import TestSupport
import Testing

@Suite struct RedirectTests {
    @Test func `another host does not say what is uploaded, or deleted, at the registry`() async throws {
        let own = Mutex("")
        let other = try ScriptedRegistry { _ in
            Answer(202, headers: [("Location", "http://\(own.withLock { $0 })/v2/victim/manifests/precious")])
        }
        let registry = try ScriptedRegistry { request in
            request.method == "POST" ? .redirect(to: "http://\(other.address)/upload") : Answer(201)
        }
        own.withLock { $0 = registry.address }
        let blob = try TestBlob.random(1000)
        let (file, repository) = (try OpenBlob(blob), try registry.repository())
        let error = try await clientFailure {
            try await $0.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
        }
        #expect(error.code == .unsafeRedirect)
        #expect(registry.requests.map(\.method) == ["POST"])
    }

    private let content = RegistryContent()
    private let blob: TestBlob

    init() throws {
        blob = try TestBlob.random(100_000)
        try content.add(blob, repository: "app")
    }

    /// Sends `/v2/…` on to `/moved/v2/…`, which answers.
    private func moving(_ status: Int) -> ScriptedRegistry.Handler {
        { [content] request in
            guard request.path.hasPrefix("/moved") else {
                return .redirect(to: "/moved\(request.target)", status: status)
            }
            return .redirected(request, by: content)
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func `a redirect of GET and HEAD is followed`(status: Int) async throws {
        let registry = try ScriptedRegistry(moving(status))
        let repository = try registry.repository()
        let received = Received()
        try await withClient { client in
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
            let isThere = try await client.hasBlob(blob.descriptor, in: repository)
            #expect(isThere)
        }
        #expect(received.bytes == (try blob.bytes))
        let path = "/v2/app/blobs/\(blob.digest)"
        #expect(registry.lines == ["GET \(path)", "GET /moved\(path)", "HEAD \(path)", "HEAD /moved\(path)"])
    }

    @Test func `a redirect within the registry keeps the credentials`() async throws {
        let registry = try ScriptedRegistry { [moving = moving(307)] request in
            request.header("Authorization") == nil
                ? Answer(401, headers: [("WWW-Authenticate", "Basic realm=x")]) : moving(request)
        }
        let repository = try registry.repository()
        try await withClient(signedIn()) {
            try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in }
        }
        #expect(registry.requests.map { $0.header("Authorization") != nil } == [false, true, true])
    }

    @Test(arguments: ["Basic realm=x", "Bearer realm=TOKEN"])
    func `a redirect to another host takes no credentials there`(challenge: String) async throws {
        let other = try ScriptedRegistry(content.answer)
        let issuer = TokenIssuer()
        let registry = try ScriptedRegistry { [address = other.address] request in
            if request.path == "/token" { return issuer.token(request) }
            guard request.header("Authorization") == nil else {
                return .redirect(to: "http://\(address)\(request.target)")
            }
            let realm = "http://\(request.header("Host") ?? "")/token"
            let value = challenge.replacing("TOKEN", with: "\"\(realm)\"")
            return Answer(401, headers: [("WWW-Authenticate", value)])
        }
        let repository = try registry.repository()
        let received = Received()
        try await withClient(signedIn()) { client in
            // The second time the credentials are sent without being asked for.
            for _ in 0..<2 { try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in } }
            try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
        }
        #expect(received.bytes == (try blob.bytes))
        #expect(registry.requests.count { $0.header("Authorization") != nil && $0.path != "/token" } == 3)
        #expect(other.requests.count == 3)
        for request in other.requests {
            #expect(request.header("Authorization") == nil)
            #expect(!request.headers.contains { $0.value.contains("secret") || $0.value.contains("token-") })
        }
    }

    /// There and back again: what was taken away stays away.
    @Test func `a redirect back from another host has no credentials either`() async throws {
        let other = try ScriptedRegistry { request in
            .redirect(to: "http://\(request.query["back"] ?? "")/moved\(request.path)")
        }
        let registry = try ScriptedRegistry { [content, address = other.address] request in
            if request.path.hasPrefix("/moved") { return .redirected(request, by: content) }
            guard request.header("Authorization") != nil else {
                return Answer(401, headers: [("WWW-Authenticate", "Basic realm=x")])
            }
            return .redirect(to: "http://\(address)\(request.path)?back=\(request.header("Host") ?? "")")
        }
        let repository = try registry.repository()
        try await withClient(signedIn()) {
            try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in }
        }
        #expect(registry.requests.map { $0.header("Authorization") != nil } == [false, true, false])
    }

    @Test(arguments: ["Basic realm=x", "Bearer realm=\"http://TARGET/token\""])
    func `a challenge of the redirect's target is not answered`(challenge: String) async throws {
        let other = try ScriptedRegistry { request in
            let value = challenge.replacing("TARGET", with: request.header("Host") ?? "")
            return Answer(401, headers: [("WWW-Authenticate", value)])
        }
        let registry = try ScriptedRegistry { [address = other.address] in
            .redirect(to: "http://\(address)\($0.target)")
        }
        let repository = try registry.repository()
        let error = try await clientFailure(signedIn()) {
            try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in }
        }
        #expect(error.code == .unauthorized)
        #expect(error.status == 401)
        #expect(error.subject == "\(repository)@\(blob.digest)")
        #expect(other.lines == ["GET /v2/app/blobs/\(blob.digest)"])
        #expect(other.requests.allSatisfy { $0.header("Authorization") == nil })
    }

    @Test func `ten redirects are followed, and no more`() async throws {
        let registry = try ScriptedRegistry { [content] request in
            let step = request.query["step"].flatMap { Int($0) } ?? 0
            let last = request.path.contains("/app/") ? 10 : 11
            return step < last ? .redirect(to: "\(request.path)?step=\(step + 1)") : .redirected(request, by: content)
        }
        try content.add(blob, repository: "far")
        let (near, far) = (try registry.repository(), try registry.repository("far"))
        try await withClient { try await $0.fetchBlob(blob.descriptor, from: near) { _, _ in } }
        #expect(registry.requests.count == 11)
        let error = try await clientFailure { try await $0.fetchBlob(blob.descriptor, from: far) { _, _ in } }
        #expect(error.code == .unsafeRedirect)
        #expect(error.subject == "\(far)@\(blob.digest)")
        #expect(error.description.contains("more than 10 redirects"))
        #expect(registry.requests.count == 22)
    }

    @Test(arguments: ["", "ftp://127.0.0.1/x", "file:///etc/passwd", "javascript:1"])
    func `a redirect that leads to no http is not followed`(location: String) async throws {
        let registry = try ScriptedRegistry { _ in .redirect(to: location) }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in } }
        #expect(error.code == .unsafeRedirect)
        #expect(error.status == 307)
        #expect(error.description.contains("it names no http or https URL"))
        #expect(registry.requests.count == 1)
    }

    @Test func `a redirect without a location is an error`() async throws {
        let registry = try ScriptedRegistry { _ in Answer(302) }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in } }
        #expect(error.code == .unsafeRedirect)
        #expect(error.subject == "\(repository)@\(blob.digest)")
    }

    @Test func `a redirect from https to http is not followed`() async throws {
        let plain = try ScriptedRegistry(content.answer)
        let path = "v2/app/manifests/latest"
        let registry = try StaticTLSServer([path: .redirect(to: "http://\(plain.address)/\(path)?secret=1")])
        let repository = try Repository(registry: registry.address, path: "app")
        let error = try await clientFailure(registry.configuration()) {
            try await $0.fetchManifest(.tag(.latest), in: repository)
        }
        #expect(error.code == .unsafeRedirect)
        #expect(error.subject == "\(repository):latest")
        #expect(error.reason == "it leads from https to http on 127.0.0.1")
        #expect(!error.description.contains("secret"))
        #expect(plain.requests.isEmpty)
    }
}

extension Answer {
    /// The answer to a request for `/moved/v2/…`.
    fileprivate static func redirected(_ request: Request, by content: RegistryContent) -> Answer {
        guard let digest = try? Digest(parsing: String(request.path.split(separator: "/").last ?? "")),
            let bytes = content.blob(digest, repository: "app")
        else { return Answer(404) }
        return Answer(body: bytes)
    }
}
