import FoundationEssentials

/// The first form of cosign's signatures: a text that names a digest, with a signature beside it.
///
/// Spec: cosign "Cosign Signature Specifications", Simple Signing.
enum SimpleSigning {
    /// The type of the layer that was signed.
    static let mediaType = MediaType(rawValue: "application/vnd.dev.cosign.simplesigning.v1+json")
    /// The annotation of that layer with the signature in Base64.
    static let annotation = "dev.cosignproject.cosign/signature"

    /// Whether a text that was signed says that it signs an image, and names a digest.
    ///
    /// The name of the image in it is ignored, as the specification has it.
    static func names(_ digest: Digest, in content: [UInt8]) -> Bool {
        guard let payload = try? JSONDecoder().decode(Payload.self, from: Data(content)) else { return false }
        return payload.critical.type == "cosign container image signature"
            && payload.critical.image.digest == digest.description
    }

    private struct Payload: Decodable {
        struct Critical: Decodable {
            let image: Image
            let type: String
        }

        struct Image: Decodable {
            let digest: String

            enum CodingKeys: String, CodingKey {
                case digest = "docker-manifest-digest"
            }
        }

        let critical: Critical
    }
}
