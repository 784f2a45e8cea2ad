import Drayage
import OCI
import RegistryTestSupport
import TestSupport
import Testing

/// What refers to images meets what others have put there.
@Suite(.timeLimit(.minutes(10))) struct ReferrerPushTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test func `what a bundle says of a tag is believed as far as it is the subject's`() async throws {
        let target = try await EmbeddedRegistry()
        let source = try await EmbeddedRegistry()
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        _ = try await workshop.bundle([name])
        // As long as the other, so that nothing moves.
        let evil = "v" + String(repeating: "1", count: signed.cosignTag.utf8.count - 1)
        let bytes = try workshop.scratch.read("bundle.tar")
        let text = Array(signed.cosignTag.utf8)
        let place = try #require(bytes.firstRange(of: text))
        try workshop.scratch.write(
            bytes[..<place.lowerBound] + Array(evil.utf8) + bytes[place.upperBound...],
            to: "bundle.tar"
        )
        #expect(try await workshop.push(to: target.address).outcome == .done)
        #expect(!target.storage.tags(repository: "app").contains(evil))
    }

    @Test func `a list that others have written keeps what they wrote`() async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await RegistryKind.docker.start())
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        _ = try await workshop.bundle([name])
        // Somebody inside has signed the same image already.
        let builder = ImageBuilder(seed: 902)
        let own = try builder.artifact(payload: Array("own".utf8), type: "application/x-own", subject: signed.image)
        try target.storage.add(own, repository: "app")
        let tag = "sha256-\(signed.image.digest.hex)"
        let list = try ImageBuilder().index(of: [own], annotations: ["by": "the site"])
        try target.storage.add(list, repository: "app", tag: tag)
        #expect(try await workshop.push(to: target.address).outcome == .done)
        let found = try await target.referrers(of: signed.image.digest, in: "app", hasAPI: false)
        #expect(found == ["\(own.digest)", "\(signed.sbom.digest)"])
        let digest = try #require(try target.storage.digest(ofTag: tag, repository: "app"))
        let text = String(decoding: try target.storage.bytes(digest), as: UTF8.self)
        #expect(text.contains(#""by":"the site""#))
        #expect(text.contains("application/spdx+json"))
    }

    @Test func `a push that broke off before the list was written writes it the next time`() async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await RegistryKind.docker.start())
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        _ = try await workshop.bundle([name])
        let tag = "sha256-\(signed.image.digest.hex)"
        let breaking = try FaultProxy(to: target.address) { request, _ in
            request.method == "PUT" && request.path.hasSuffix(tag) ? .answer(.error(403, "DENIED")) : nil
        }
        let broken = try await workshop.push(to: breaking.address)
        #expect(broken.outcome == .failed)
        // Whoever looks for its signature is not to find it without.
        #expect(target.storage.tags(repository: "app").contains("1") == false)
        #expect(try await workshop.push(to: target.address).outcome == .done)
        let found = try await target.referrers(of: signed.image.digest, in: "app", hasAPI: false)
        #expect(found == ["\(signed.sbom.digest)"])
    }

    @Test(arguments: Pusher.ExistingTagPolicy.allCases)
    func `a signature that is there under its tag is a tag like others`(policy: Pusher.ExistingTagPolicy) async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        _ = try await workshop.bundle([name])
        let builder = ImageBuilder(seed: 903)
        let own = try builder.artifact(payload: Array("own".utf8), type: "application/vnd.dev.cosign")
        try target.storage.add(own, repository: "app", tag: signed.cosignTag)
        func digest() throws -> Digest? { try target.storage.digest(ofTag: signed.cosignTag, repository: "app") }
        guard policy != .fail else {
            let error = await #expect(throws: DrayageError.self) {
                try await workshop.push(to: target.address, onExisting: policy)
            }
            #expect(error?.code == .tagExists)
            #expect(try digest() == own.digest)
            return
        }
        // It is named after the digest of its image: whoever made it inside has signed the same image.
        let report = try await workshop.push(to: target.address, onExisting: policy)
        #expect(try digest() == own.digest)
        #expect(report.notes.count == 1)
        #expect(report.notes.first?.hasSuffix("; it stays as it is there") == true, "\(report.notes)")
    }
}
