import FoundationEssentials

/// The part of an image's config that Drayage reads.
///
/// Spec: image "OCI Image Configuration".
package struct ImageConfig: Hashable, Sendable {
    /// The most bytes of a config that are read.
    package static let byteLimit = 4 << 20

    /// What the image runs on; nil where the config does not say.
    package let platform: Platform?
    /// The digests of the layers before compression, base first.
    package let diffIDs: [Digest]

    /// Reads a config.
    ///
    /// What it does not say is no error: many artifacts have an empty text of this type.
    ///
    /// - Throws: ``DocumentError`` when it is too large or no JSON object, or what it calls a digest is none.
    package init(bytes: [UInt8]) throws(DocumentError) {
        guard bytes.count <= Self.byteLimit else { throw DocumentError(.configTooLarge(byteCount: bytes.count)) }
        do {
            let fields = try JSONDecoder().decode(Fields.self, from: Data(bytes))
            platform = fields.platform
            diffIDs = fields.rootfs?.diffIDs ?? []
        } catch {
            throw DocumentError(.unreadableConfig(reason: Document.reason(of: error)))
        }
    }

    /// Reads the platform alone, which is quicker; nil where a config names none, or is none.
    package static func platform(in bytes: [UInt8]) -> Platform? {
        guard bytes.count <= byteLimit else { return nil }
        // Its fields are among those of the config.
        return try? JSONDecoder().decode(Platform.self, from: Data(bytes))
    }
}

extension ImageConfig {
    private struct Fields: Decodable {
        let platform: Platform?
        let rootfs: RootFileSystem?

        private enum CodingKeys: String, CodingKey { case rootfs }

        init(from decoder: any Decoder) throws {
            // The platform is the image's own business: one that makes no sense counts as none.
            platform = try? Platform(from: decoder)
            rootfs = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(
                RootFileSystem.self,
                forKey: .rootfs
            )
        }
    }

    private struct RootFileSystem: Decodable {
        let diffIDs: [Digest]?

        private enum CodingKeys: String, CodingKey { case diffIDs = "diff_ids" }
    }
}
