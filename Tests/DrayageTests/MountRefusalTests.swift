import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Registries that do not mount, each in its own way: the blob is uploaded there too.
@Suite struct MountRefusalTests {
    private let workshop: Workshop
    private let images: [TestImage]

    init() async throws {
        workshop = try Workshop()
        let source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 320)
        let shared = try builder.layer()
        images = try (0..<3).map { _ in try builder.image(layers: [shared]) }
        let names = try images.enumerated().map { try source.add($1, "app-\($0)") }
        _ = try await workshop.bundle(names)
    }

    @Test(arguments: [400, 403, 404, 405, 500])
    func `a mount that is refused becomes an upload`(status: Int) async throws {
        let target = try Source { request in
            request.method == "POST" && request.query["mount"] != nil ? .error(status, "UNSUPPORTED") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        for (number, image) in images.enumerated() {
            try expect(target.content, has: image, "app-\(number)", tag: "1")
        }
        // Three configs, and the shared layer in each of three repositories.
        #expect(report.totals?.uploadCount == 6)
        #expect(report.totals?.mountCount == 0)
    }

    @Test func `an upload that was opened for a blob that is there is cancelled`() async throws {
        let shared = images[0].layers[0].digest
        let content = RegistryContent(allowsMount: false)
        // The other repositories have the blob too, but do not say so with a mount.
        let registry = try ScriptedRegistry { request in
            let isShared = request.path.hasSuffix("/blobs/\(shared)")
            return request.method == "HEAD" && isShared && !request.path.hasPrefix("/v2/app-0/")
                ? Answer() : content.answer(request)
        }
        let report = try await workshop.push(to: registry.address)
        let opened = registry.requests.filter { $0.query["mount"] == shared.description }.count
        #expect(opened == 2)
        let cancelled = registry.requests.filter { $0.method == "DELETE" }.map(\.path)
        #expect(Set(cancelled).count == 2)
        #expect(cancelled.allSatisfy { $0.contains("/blobs/uploads/") })
        // The layer once, and the config that they share in each of three repositories.
        #expect(report.totals?.uploadCount == 4)
    }

    @Test func `an upload that was opened for a blob of which nothing is said is cancelled`() async throws {
        let shared = images[0].layers[0].digest
        let content = RegistryContent(allowsMount: false)
        let registry = try ScriptedRegistry { request in
            let isAsked = request.method == "HEAD" && request.path.hasSuffix("/blobs/\(shared)")
            return isAsked && !request.path.hasPrefix("/v2/app-0/") ? Answer(500) : content.answer(request)
        }
        let report = try await workshop.push(to: registry.address)
        #expect(report.failures.count == 2)
        let opened = registry.requests.filter { $0.query["mount"] == shared.description }.count
        #expect(opened == 2)
        #expect(Set(registry.requests.filter { $0.method == "DELETE" }.map(\.path)).count == 2)
    }

    @Test func `bytes that a registry finds to be wrong are looked at again, and are the bundle's fault`() async throws
    {
        let digest = images[0].layers[0].digest
        var bytes = try workshop.scratch.read("bundle.tar")
        let entry = try #require(TarBytes.entries(of: bytes).first { $0.path.hasSuffix(digest.hex) })
        bytes[entry.range.lowerBound + 100] ^= 1
        try workshop.scratch.write(bytes, to: "bundle.tar")
        let target = try await EmbeddedRegistry()
        let report = try await workshop.push(to: target.address)
        #expect(report.exitStatus == .unverified)
        #expect(report.failures.count == 3)
        for failure in report.failures {
            #expect(failure.message.hasPrefix("reading \(workshop.path()): what should be \(digest) is sha256:"))
        }
    }

    @Test func `a digest that a registry only does not like is not the bundle's fault`() async throws {
        let digest = images[0].layers[0].digest
        let target = try Source { request in
            request.method == "PUT" && request.query["digest"] == digest.description
                ? .error(400, "DIGEST_INVALID", "unsupported") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.exitStatus == .failed)
        #expect(report.failures.map { $0.message.hasSuffix("DIGEST_INVALID: unsupported") } == [true, true, true])
    }
}
