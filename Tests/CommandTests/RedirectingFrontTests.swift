import Foundation
import TestSupport
import Testing

/// A registry as sites have it: a real one that asks who is there, behind a front that ends TLS and sends everybody who
/// fetches a blob to another host.
@Suite(.timeLimit(.minutes(10))) struct RedirectingFrontTests {
    private let terminal: Terminal
    private let user = TestSecrets.user("me")
    private let registry: DockerRegistry
    private let store: Nginx
    private let front: Nginx

    init() throws {
        terminal = try Terminal()
        registry = try DockerRegistry(options: .init(user: user))
        let login = Data("\(user.name):\(user.password)".utf8).base64EncodedString()
        store = try Nginx(
            locations: """
                location / {
                    proxy_pass http://\(registry.address);
                    proxy_set_header Authorization "Basic \(login)";
                }
                """
        )
        front = try Nginx(
            locations: """
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-Proto https;
                location / { proxy_pass http://\(registry.address); }
                location ~ ^/v2/.+/blobs/sha256: {
                    set $who "$request_method:$http_authorization";
                    if ($who ~ "^GET:Basic") { return 307 https://\(store.address)$request_uri; }
                    proxy_pass http://\(registry.address);
                }
                """
        )
        try terminal.scratch.write(#"{"auths":{"\#(front.address)":{"auth":"\#(login)"}}}"#, to: "docker/config.json")
        // All that is known of the other host is what is kept for the registry.
        for (server, name) in [(front, "front.crt"), (store, "store.crt")] {
            let folder = "home/.config/containers/certs.d/\(front.address)"
            try terminal.scratch.write(server.scratch.read("ca.pem"), to: "\(folder)/\(name)")
        }
    }

    private func run(_ arguments: String...) async throws -> Outcome {
        let environment = ["DOCKER_CONFIG": terminal.scratch.path("docker"), "XDG_CONFIG_HOME": ""]
        return try await terminal.command(arguments + ["--tls", front.address], environment: environment).run()
    }

    @Test func `what is pushed to it comes back, and the other host learns nothing`() async throws {
        let source = try Source()
        var builder = ImageBuilder(seed: 840)
        let layers = [try builder.opaqueLayer(byteCount: 5 << 20), try builder.layer(byteCount: 20_000)]
        let (images, single) = (try builder.multiPlatform(sharing: layers), try builder.image())
        let names = [try source.add(images, "team/app"), try source.add(single, "other")]
        try await terminal.succeed("bundle", names[0], names[1], "-o", "bundle.tar")
        let pushed = try await run("push", "bundle.tar", front.address)
        #expect(pushed.status == 0, "\(pushed.errorText)")
        let back = try await run(
            "bundle",
            "\(front.address)/team/app:1",
            "\(front.address)/other:1",
            "-o",
            "back.tar",
            "-v"
        )
        #expect(back.status == 0, "\(back.errorText)")
        let verified = try await run("verify", "bundle.tar", "--at", front.address)
        #expect(verified.status == 0, "\(verified.errorText)")
        #expect(try registry.storage.digest(ofTag: "1", repository: "team/app") == images.digest)
        front.stop()
        store.stop()
        let fetches = store.requests
        // Each blob once, none of them with a word of who we are.
        let blobs = Set((images.blobs + single.blobs).map { "\($0.digest)" })
        #expect(fetches.count == blobs.count)
        #expect(fetches.allSatisfy { $0.hasSuffix("|-|-") }, "\(fetches)")
        #expect(blobs.allSatisfy { digest in fetches.contains { $0.contains(digest) } })
        #expect(front.requests.contains { $0.contains("|Basic ") })
    }
}
