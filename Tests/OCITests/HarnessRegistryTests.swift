import Foundation
import OCI
import TestSupport
import Testing

@Suite struct HarnessRegistryTests {
    @Test func `a real registry serves what was written into its storage, and logs it`() async throws {
        var builder = ImageBuilder(seed: 11)
        let registry = try DockerRegistry()
        for family in ImageBuilder.Family.allCases {
            builder.family = family
            let image = try builder.multiPlatform(attested: family == .oci)
            try registry.storage.add(image, repository: "app/\(family)", tag: "1")
            let base = "http://\(registry.address)/v2/app/\(family)"
            #expect(
                try await curl(["-H", "Accept: \(image.top.mediaType)", "\(base)/manifests/1"]) == image.document.bytes
            )
            for blob in image.blobs {
                #expect(try await curl(["\(base)/blobs/\(blob.digest)"]) == blob.bytes)
            }
        }
        #expect(registry.storage.repositories() == ["app/docker", "app/oci"])
        #expect(registry.requests.first?.description == "GET /v2/app/oci/manifests/1 200")
        #expect(registry.requests.count == 14)
        registry.stop()
        #expect(registry.requests.count == 14)
        #expect(try await Command("curl", ["-s", "http://\(registry.address)/v2/"]).run().status == 7)
    }

    @Test func `a real registry with TLS and a password lets only that user in`() async throws {
        let registry = try DockerRegistry(options: .init(user: ("me", "secret"), usesTLS: true))
        let authority = try #require(registry.certificateAuthorityPath)
        let url = "https://\(registry.address)/v2/"
        #expect(try await Command("curl", ["-s", url]).run().status == 60)
        #expect(try await Command("curl", ["-sf", "--cacert", authority, url]).run().status == 22)
        #expect(try await curl(["--cacert", authority, "-u", "me:secret", url]) == Array("{}".utf8))
        registry.stop()
        #expect(registry.requests.map(\.status) == [401, 200])
    }

    @Test func `a push into a real registry is seen in its storage`() async throws {
        let registry = try DockerRegistry()
        let blob = try ImageBuilder(seed: 4).layer(files: [])
        let scratch = try ScratchDirectory()
        let file = try scratch.write(blob.bytes, to: "blob")
        let start = try await Command(
            "curl",
            ["-si", "-X", "POST", "http://\(registry.address)/v2/app/blobs/uploads/"]
        ).run()
        let location = try #require(start.outputText.firstMatch(of: /Location: (\S+)/)).1
        _ = try await curl(["-T", file, "\(location)&digest=\(blob.digest)"])
        #expect(registry.storage.hasBlob(blob.digest, repository: "app"))
        #expect(try registry.storage.bytes(blob.digest) == blob.bytes)
        #expect(registry.storage.unfinishedUploads(repository: "app").isEmpty)
    }

    @Test func `a scripted registry serves images, keeps connections and pages its lists`() async throws {
        let content = RegistryContent(pageSize: 2)
        let image = try ImageBuilder(seed: 5).index(of: [])
        for tag in ["a", "b", "c"] { try content.add(image, repository: "app", tag: tag) }
        let registry = try ScriptedRegistry(content.answer)
        let base = "http://\(registry.address)/v2/app"
        let both = try await curl(["\(base)/manifests/a", "\(base)/manifests/\(image.digest)"])
        #expect(both == image.document.bytes + image.document.bytes)
        #expect(registry.connectionCount == 1)
        #expect(registry.requests.map(\.connection) == [1, 1])
        let list = try await Command("curl", ["-si", "\(base)/tags/list"]).run().outputText
        #expect(list.contains(#"{"name":"app","tags":["a","b"]}"#))
        #expect(list.contains("Link: </v2/app/tags/list?last=b&n=2>; rel=\"next\""))
        #expect(try await curl(["\(base)/tags/list?last=b&n=2"]) == Array(#"{"name":"app","tags":["c"]}"#.utf8))
    }

    /// Each fault with the exit code by which curl knows it.
    @Test(arguments: [
        (Answer.Transfer.whole, Int32(0)), (.chunked, 0), (.untilClose, 0), (.declaring(3), 0), (.declaring(99), 18),
        (.truncated(after: 2), 18), (.reset(after: 2), 56), (.stalled(after: 2), 28), (.closedBeforeHead, 52),
        (.resetBeforeHead, 56), (.stalledBeforeHead, 28), (.raw, 1),
    ])
    func `a scripted registry makes every fault`(transfer: Answer.Transfer, code: Int32) async throws {
        let registry = try ScriptedRegistry { _ in Answer(body: Array("abcdef".utf8), transfer: transfer) }
        let outcome = try await Command("curl", ["-s", "-m", "1", "http://\(registry.address)/"]).run()
        #expect(outcome.status == code)
        if code == 0 { #expect("abcdef".hasPrefix(outcome.outputText) && outcome.output.count >= 3) }
    }

    @Test func `a scripted registry takes uploads, also chunked ones and those that wait for a go-ahead`() async throws
    {
        let content = RegistryContent()
        let registry = try ScriptedRegistry(content.answer)
        let bytes = RandomBytes.make(count: 3 << 20, seed: 1)
        let digest = try Digest.of(bytes)
        let scratch = try ScratchDirectory()
        let file = try scratch.write(bytes, to: "blob")
        for extra in [[], ["-H", "Transfer-Encoding: chunked"]] {
            let url = "http://\(registry.address)/v2/app/blobs/uploads/"
            let start = try await Command("curl", ["-si", "-X", "POST", url]).run().outputText
            let location = try #require(start.firstMatch(of: /Location: (\S+)/)).1
            let target = "http://\(registry.address)\(location)&digest=\(digest)"
            let put = try await Command(
                "curl",
                ["-sS", "-f", "-H", "Expect: 100-continue", "-T", file] + extra + [target]
            ).run()
            #expect(put.status == 0)
            #expect(content.blob(digest, repository: "app") == bytes)
        }
        let mount = "http://\(registry.address)/v2/b/blobs/uploads/?mount=\(digest)&from=app"
        #expect(try await Command("curl", ["-si", "-X", "POST", mount]).run().outputText.hasPrefix("HTTP/1.1 201"))
        #expect(content.blob(digest, repository: "b") == bytes)
    }

    @Test func `a token issuer challenges, issues and checks`() async throws {
        let issuer = TokenIssuer(user: ("me", "secret"))
        let content = RegistryContent()
        let image = try ImageBuilder(seed: 5).index(of: [])
        try content.add(image, repository: "app", tag: "a")
        let registry = try ScriptedRegistry(issuer.guarding(content.answer))
        let url = "http://\(registry.address)/v2/app/manifests/a"
        let challenge = try await Command("curl", ["-si", url]).run().outputText
        let realm = "http://\(registry.address)/token"
        #expect(
            challenge.contains(
                "WWW-Authenticate: Bearer realm=\"\(realm)\",service=\"registry.test\",scope=\"repository:app:pull\""
            )
        )
        let scope = "\(realm)?service=registry.test&scope=repository:app:pull"
        #expect(try await Command("curl", ["-sf", scope]).run().status == 22)
        let answer = try await curl(["-u", "me:secret", scope])
        let token = try #require(issuer.issued.first).text
        #expect(answer == Array(#"{"token":"\#(token)","expires_in":300}"#.utf8))
        #expect(try await curl(["-H", "Authorization: Bearer \(token)", url]) == image.document.bytes)
        issuer.revokeAll()
        #expect(try await Command("curl", ["-sf", "-H", "Authorization: Bearer \(token)", url]).run().status == 22)
        #expect(issuer.issued.map(\.scopes) == [["repository:app:pull"]])
    }

    private func curl(_ arguments: [String]) async throws -> [UInt8] {
        let outcome = try await Command("curl", ["-sSf"] + arguments).run()
        #expect(outcome.status == 0, "\(outcome.errorText)")
        return outcome.output
    }
}
