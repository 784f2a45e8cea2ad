import Drayage
import TestSupport
import Testing

/// Registries that do not mount, each in its own way: the blob is uploaded there too.
@Suite struct MountRefusalTests {
    private let workshop: Workshop
    private let images: [TestImage]

    init() async throws {
        workshop = try Workshop()
        let source = try Source()
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

    @Test func `bytes that a registry finds to be wrong are the bundle's fault`() async throws {
        let digest = images[0].layers[0].digest
        let target = try Source { request in
            request.method == "PUT" && request.query["digest"] == digest.description
                ? .error(400, "DIGEST_INVALID", "provided digest did not match uploaded content") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.exitStatus == .unverified)
        #expect(report.failures.count == 3)
        for failure in report.failures {
            #expect(failure.message.hasPrefix("the bytes in \(workshop.path()) are not \(digest), drayage verify "))
        }
    }
}
