import Foundation
import OCI
import RegistryTestSupport
import TestSupport

/// An image for several platforms, and what belongs to it.
struct SignedImage {
    let image: TestImage
    /// Refers to the index.
    let sbom: TestImage
    /// Refers to one of the platforms.
    let provenance: TestImage
    /// Refers to ``sbom``.
    let signature: TestImage
    /// Are found by their tags alone.
    let cosign: [String: TestImage]

    var referrers: [TestImage] { [sbom, provenance, signature] }
    var all: [TestImage] { referrers + cosign.values }
    var cosignTag: String { "sha256-\(image.digest.hex).sig" }

    init(seed: UInt64 = 900) throws {
        var builder = ImageBuilder(seed: seed)
        image = try builder.multiPlatform(sharing: [builder.layer(byteCount: 20_000)])
        sbom = try builder.artifact(payload: Array("sbom".utf8), type: "application/spdx+json", subject: image)
        provenance = try builder.artifact(
            payload: Array("provenance".utf8),
            type: "application/vnd.in-toto+json",
            subject: image.children[0]
        )
        signature = try builder.artifact(payload: Array("signature".utf8), type: "application/x-sig", subject: sbom)
        let names = [(image, "sig"), (image, "att"), (image.children[1], "sbom")]
        cosign = try names.reduce(into: [:]) { tags, name in
            tags["sha256-\(name.0.digest.hex).\(name.1)"] = try builder.artifact(
                payload: Array(name.1.utf8),
                type: "application/x-\(name.1)"
            )
        }
    }

    /// Puts all of it into a registry; without an API what refers to something is listed under a tag.
    func add(to registry: any LocalRegistry, _ repository: String, hasAPI: Bool) throws -> String {
        for referrer in referrers { try registry.storage.add(referrer, repository: repository) }
        for (tag, image) in cosign { try registry.storage.add(image, repository: repository, tag: tag) }
        if !hasAPI {
            for (subject, referrer) in [(image, sbom), (image.children[0], provenance), (sbom, signature)] {
                let list = try ImageBuilder().index(of: [referrer])
                try registry.storage.add(list, repository: repository, tag: "sha256-\(subject.digest.hex)")
            }
        }
        return try registry.add(image, repository)
    }
}

extension LocalRegistry {
    /// What a registry gives to those who look for what refers to something.
    func referrers(
        of digest: Digest,
        in repository: String,
        hasAPI: Bool
    ) async throws -> Set<String> {
        guard !hasAPI else {
            let listing = Command("curl", ["-sf", "http://\(address)/v2/\(repository)/referrers/\(digest)"])
            let answer = try await listing.run().outputText
            return Set(answer.matches(of: /"digest":"([^"]+)"/).map { String($0.1) })
        }
        let tag = "sha256-\(digest.hex)"
        guard let list = try storage.digest(ofTag: tag, repository: repository) else { return [] }
        let text = String(decoding: try storage.bytes(list), as: UTF8.self)
        return Set(text.matches(of: /"digest":"([^"]+)"/).map { String($0.1) })
    }
}
