import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Manifests of any form, which cannot all be carried, but are in registries.
@Suite struct ManifestBytesTests {
    private static let tag = ManifestTarget.tag(.latest)
    private static let artifact = #"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}"#

    /// A registry with one manifest, which it shows to whoever takes every type.
    private static func registry(_ body: String, headers: [(name: String, value: String)] = []) throws
        -> ScriptedRegistry
    {
        try ScriptedRegistry { request in
            guard request.header("Accept")?.contains("*/*") == true else { return .error(404, "MANIFEST_UNKNOWN") }
            var answer = Answer.text(body, type: "application/vnd.example+json")
            answer.headers += headers
            return answer
        }
    }

    @Test(arguments: [artifact, #"{"schemaVersion":1}"#, #"{"layers":[],"manifests":[]}"#, "no JSON"])
    func `whatever is served is fetched`(text: String) async throws {
        let registry = try Self.registry(text)
        let repository = try registry.repository()
        let digest = try Digest.of(Array(text.utf8))
        try await withClient { client async throws in
            for target in [Self.tag, .digest(digest)] {
                let answer = try await client.fetchManifestBytes(target, in: repository)
                #expect(answer?.digest == digest && answer?.bytes == Array(text.utf8))
            }
            // The registry states no digest, so the manifest has to be fetched for it.
            #expect(try await client.headManifest(Self.tag, in: repository, types: .any) == digest)
            #expect(try await client.headManifest(Self.tag, in: repository) == nil)
        }
    }

    @Test func `what is not there is nil`() async throws {
        let registry = try ScriptedRegistry { _ in .error(404, "MANIFEST_UNKNOWN") }
        let repository = try registry.repository()
        let answer = try await withClient { try await $0.fetchManifestBytes(Self.tag, in: repository) }
        #expect(answer == nil)
    }

    @Test func `other bytes than the digest says are refused`() async throws {
        let (wanted, actual) = (try Digest.of([1]), try Digest.of(Array(Self.artifact.utf8)))
        let silent = try Self.registry(Self.artifact)
        let lying = try Self.registry(Self.artifact, headers: [("Docker-Content-Digest", "\(wanted)")])
        for (registry, target) in [(silent, ManifestTarget.digest(wanted)), (lying, Self.tag)] {
            let repository = try registry.repository()
            let error = try await clientFailure { try await $0.fetchManifestBytes(target, in: repository) }
            #expect(error.code == .digestMismatch(expected: wanted, actual: actual))
            #expect(error.subject == target.name(in: repository))
        }
    }

    @Test func `a manifest over 4 MiB is not read to its end`() async throws {
        let registry = try ScriptedRegistry { _ in
            Answer(body: [UInt8](repeating: 32, count: 64 << 20), transfer: .stalled(after: 5 << 20))
        }
        let repository = try registry.repository()
        let error = try await clientFailure { try await $0.fetchManifestBytes(Self.tag, in: repository) }
        #expect(error.code == .unusableManifest(DocumentError(.tooLarge(byteCount: (4 << 20) + 1))))
    }
}
