import Drayage
import OCI
import RegistryTestSupport
import TestSupport
import Testing

/// What refers to images is found, whatever registries and their mirrors say, and however much that is.
@Suite(.timeLimit(.minutes(10))) struct ReferrerSearchTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    @Test func `one that cannot be had is a failure, and no bundle is made`() async throws {
        let source = try await EmbeddedRegistry()
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        try source.storage.removeBlob(signed.sbom.blobs[1].digest)
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .failed)
        #expect(report.failures.map(\.subject) == [name])
        #expect(report.failures.first?.message.contains("\(signed.sbom.blobs[1].digest)") == true)
        // One whose manifest is gone is not even planned.
        let broken = try FaultProxy(to: source.address) { request, _ in
            request.path.hasSuffix("/manifests/\(signed.provenance.digest)")
                ? .answer(.error(404, "MANIFEST_UNKNOWN")) : nil
        }
        let missing = try await workshop.bundle([name.replacing(source.address, with: broken.address)], to: "b.tar")
        #expect(missing.outcome == .failed)
        #expect(missing.failures.first?.message.contains("\(signed.provenance.digest)") == true)
        #expect(!workshop.scratch.contains("b.tar"))
    }

    @Test func `what a registry will not say is asked tag by tag`() async throws {
        let signed = try SignedImage()
        let registry = try await RegistryKind.docker.start()
        let name = try signed.add(to: registry, "app", hasAPI: false)
        let closed = try FaultProxy(to: registry.address) { request, _ in
            request.path.hasSuffix("/tags/list") ? .answer(.error(403, "DENIED")) : nil
        }
        let report = try await workshop.bundle([name.replacing(registry.address, with: closed.address)])
        #expect(report.images.map(\.referrerCount) == [6], "\(report.failures.map(\.message))")
    }

    @Test func `a registry that lists referrers without end is stopped`() async throws {
        var builder = ImageBuilder(seed: 905)
        let image = try builder.image()
        let source = try Source { request in
            guard request.path.contains("/referrers/") else {
                guard request.path.contains("/manifests/sha256:"), !request.path.contains(image.digest.hex) else {
                    return nil
                }
                return .error(404, "MANIFEST_UNKNOWN")
            }
            let entries = (0..<10_001).map { number in
                let hex = String(repeating: "0", count: 58) + String(100_000 + number)
                return #"{"mediaType":"\#(MediaType.ociManifest.rawValue)","digest":"sha256:\#(hex)","size":10}"#
            }
            let list = #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#
            return .text(list, type: MediaType.ociIndex.rawValue)
        }
        let name = try source.add(image, "app")
        let report = try await workshop.bundle([name])
        #expect(report.failures.first?.message.contains("more than 10000 manifests refer to the images") == true)
        #expect(source.registry.requests.count < 20)
    }

    @Test func `whether there is an API is asked once a registry, and tags once a repository`() async throws {
        let registry = try await RegistryKind.docker.start()
        var names: [String] = []
        for number in 0..<6 {
            var builder = ImageBuilder(seed: 910 + UInt64(number))
            names.append(try registry.add(builder.multiPlatform(), "app-\(number)"))
            names.append(try registry.add(builder.image(command: ["x"]), "app-\(number)", tag: "2"))
        }
        let report = try await workshop.bundle(names)
        #expect(report.outcome == .done)
        let requests = try await registry.finish()
        #expect(requests.count { $0.path.contains("/referrers/") } == 1)
        #expect(requests.count { $0.path.hasSuffix("/tags/list") } == 6)
    }

    @Test func `a mirror that knows of none is not asked where the source can be`() async throws {
        let (source, mirror) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let signed = try SignedImage()
        let name = try signed.add(to: source, "app", hasAPI: true)
        try mirror.add(signed.image, "app")
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(source.address)=\(mirror.address)")]
        let report = try await workshop.bundle([name])
        #expect(report.images.map(\.source) == ["\(mirror.address)/app"])
        #expect(report.images.map(\.referrerCount) == [6], "\(report.failures.map(\.message))")
        #expect(report.notes == [])
    }

    @Test func `where the source is out of reach its mirror is asked, and that is told`() async throws {
        let mirror = try await EmbeddedRegistry()
        let source = try ScriptedRegistry.refusingAddress()
        let signed = try SignedImage()
        _ = try signed.add(to: mirror, "app", hasAPI: true)
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(source)=\(mirror.address)")]
        let report = try await workshop.bundle(["\(source)/app:1"])
        #expect(report.images.map(\.referrerCount) == [6], "\(report.failures.map(\.message))")
        #expect(
            report.notes == [
                "\(source) cannot be reached, so what refers to its images was looked for at its mirrors alone"
            ]
        )
    }

    /// What registries say instead of a list, and how many there are then.
    @Test(
        arguments: [
            .redirect(to: "http://127.0.0.1:1/web/site"), .error(401, "UNAUTHORIZED"), .error(403, "DENIED"),
            .error(404, "NOT_FOUND"), .text("<html>", type: "text/html"), .text("{}"),
            .text(#"{"schemaVersion":2,"manifests":null}"#),
        ] as [Answer]
    )
    func `what is no list is none, and tags are asked all the same`(answer: Answer) async throws {
        let registry = try await EmbeddedRegistry()
        let signed = try SignedImage()
        let name = try signed.add(to: registry, "app", hasAPI: true)
        let odd = try FaultProxy(to: registry.address) { request, _ in
            request.path.contains("/referrers/") ? .answer(answer) : nil
        }
        let report = try await workshop.bundle([name.replacing(registry.address, with: odd.address)])
        #expect(report.images.map(\.referrerCount) == [3], "\(report.failures.map(\.message))")
    }

    @Test func `a size that is of all that is beneath is no obstacle`() async throws {
        let registry = try await EmbeddedRegistry()
        let signed = try SignedImage()
        let name = try signed.add(to: registry, "app", hasAPI: true)
        let odd = try FaultProxy(to: registry.address) { request, _ in
            guard request.path.hasSuffix("/referrers/\(signed.image.digest)") else { return nil }
            let entry =
                #"{"mediaType":"\#(signed.sbom.top.mediaType.rawValue)","digest":"\#(signed.sbom.digest)","size":99999}"#
            return .answer(.text(#"{"schemaVersion":2,"manifests":[\#(entry)]}"#, type: MediaType.ociIndex.rawValue))
        }
        let report = try await workshop.bundle([name.replacing(registry.address, with: odd.address)])
        #expect(report.images.map(\.referrerCount) == [6], "\(report.failures.map(\.message))")
    }
}
