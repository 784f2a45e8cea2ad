import FoundationEssentials

/// The second form of cosign's signatures: an in-toto statement in an envelope, with all that belongs to it.
///
/// Of a bundle's certificates and log entries nothing is looked at: the key that is given says whom to trust.
///
/// Spec: sigstore "Sigstore Bundle Format"; DSSE "Standard JSON envelope"; in-toto "Statement layer specification".
enum SigstoreBundle {
    /// The types of a layer that is a bundle: every version in both spellings, which versions are mixed up in.
    static let mediaTypes = Set(
        ["0.1", "0.2", "0.3"].flatMap { version in
            ["bundle.v\(version)+json", "bundle+json;version=\(version)"].map {
                MediaType(rawValue: "application/vnd.dev.sigstore." + $0)
            }
        }
    )

    /// Whether a bundle says that the holder of a key has signed what has a digest.
    ///
    /// An attestation is none: who says how an image was made, or what is in it, does not say that it is good. A bundle
    /// with a signature of mere bytes is none either.
    static func isSignature(of digest: Digest, content: [UInt8], by key: PublicKey) -> Bool {
        guard let bundle = try? JSONDecoder().decode(Bundle.self, from: Data(content)),
            let envelope = bundle.dsseEnvelope, envelope.payloadType == "application/vnd.in-toto+json",
            // A bundle's envelope has exactly one: thousands would be a way to keep us busy.
            envelope.signatures.count == 1, let signature = [UInt8](base64: envelope.signatures[0].sig),
            let payload = [UInt8](base64: envelope.payload)
        else { return false }
        // The statement is read once it is known to be from the key's holder, and from the bytes that were checked.
        return key.verifies(signature, of: signed(payload, type: envelope.payloadType)) && names(digest, in: payload)
    }

    /// What is signed of an envelope.
    ///
    /// Spec: DSSE "Signature Definition", PAE.
    static func signed(_ payload: [UInt8], type: String) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    private static func names(_ digest: Digest, in payload: [UInt8]) -> Bool {
        guard let statement = try? JSONDecoder().decode(Statement.self, from: Data(payload)) else { return false }
        return ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"].contains(statement.type)
            && statement.predicateType == "https://sigstore.dev/cosign/sign/v1"
            && statement.subject.contains { $0.digest?[digest.algorithm.rawValue] == digest.hex }
    }

    private struct Bundle: Decodable {
        let dsseEnvelope: Envelope?
    }

    private struct Envelope: Decodable {
        struct Signature: Decodable {
            let sig: String
        }

        let payload: String
        let payloadType: String
        let signatures: [Signature]
    }

    private struct Statement: Decodable {
        struct Subject: Decodable {
            let digest: [String: String]?
        }

        let type: String
        let predicateType: String
        let subject: [Subject]

        enum CodingKeys: String, CodingKey {
            case type = "_type"
            case predicateType
            case subject
        }
    }
}
