import Foundation
package import OCI

/// A signature as cosign makes it: a layer, and what its manifest says of it.
package struct TestSignature: Sendable {
    /// The type of the layer.
    package var mediaType: String
    /// The layer's bytes.
    package var content: [UInt8]
    /// The annotations of the layer.
    package var annotations: [String: String]?

    /// Describes a layer of any kind.
    package init(mediaType: String, content: [UInt8], annotations: [String: String]? = nil) {
        self.mediaType = mediaType
        self.content = content
        self.annotations = annotations
    }

    /// Simple signing: what cosign makes up to version 2.
    ///
    /// - Parameters:
    ///   - digest: what is signed.
    ///   - key: who signs.
    ///   - type: what the payload says that it is.
    /// - Returns: the signature.
    /// - Throws: what `openssl` says.
    package static func simple(
        of digest: Digest,
        by key: SigningKey,
        type: String = "cosign container image signature"
    ) throws -> TestSignature {
        let payload = Array(
            """
            {"critical":{"identity":{"docker-reference":"registry.test/acme/app"},"image":{"docker-manifest-digest":\
            "\(digest)"},"type":"\(type)"},"optional":null}
            """.utf8
        )
        return TestSignature(
            mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
            content: payload,
            annotations: ["dev.cosignproject.cosign/signature": Data(try key.sign(payload)).base64EncodedString()]
        )
    }

    /// A sigstore bundle: what cosign makes from version 3 on.
    ///
    /// - Parameters:
    ///   - digest: what is signed.
    ///   - key: who signs.
    ///   - statementType: the type of the statement.
    ///   - predicateType: what is said of the subject.
    ///   - payloadType: what the envelope says that it holds.
    /// - Returns: the signature.
    /// - Throws: what `openssl` says.
    package static func bundle(
        of digest: Digest,
        by key: SigningKey,
        statementType: String = "https://in-toto.io/Statement/v1",
        predicateType: String = "https://sigstore.dev/cosign/sign/v1",
        payloadType: String = "application/vnd.in-toto+json"
    ) throws -> TestSignature {
        let statement = Array(
            """
            {"_type":"\(statementType)","subject":[{"digest":{"\(digest.algorithm.rawValue)":"\(digest.hex)"},\
            "annotations":{}}],"predicateType":"\(predicateType)","predicate":{}}
            """.utf8
        )
        let signed = Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(statement.count) ".utf8) + statement
        let (payload, signature) = (Data(statement).base64EncodedString(), Data(try key.sign(signed)))
        let bundle = """
            {"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":\
            {"hint":""},"tlogEntries":[]},"dsseEnvelope":{"payload":"\(payload)","payloadType":"\(payloadType)",\
            "signatures":[{"sig":"\(signature.base64EncodedString())"}]}}
            """
        return TestSignature(
            mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
            content: Array(bundle.utf8)
        )
    }
}

extension ImageBuilder {
    /// A manifest whose layers are signatures.
    ///
    /// - Parameters:
    ///   - signatures: the layers.
    ///   - subject: what it refers to; nil where only its tag says that.
    /// - Returns: an OCI manifest, whatever the family.
    /// - Throws: never, unless OpenSSL refuses.
    package func signatures(_ signatures: [TestSignature], subject: TestImage? = nil) throws -> TestImage {
        let config = try TestBlob(
            bytes: Array("{}".utf8),
            mediaType: MediaType(rawValue: "application/vnd.oci.empty.v1+json"),
            algorithm: algorithm
        )
        let layers = try signatures.map {
            try TestBlob(bytes: $0.content, mediaType: MediaType(rawValue: $0.mediaType), algorithm: algorithm)
        }
        let json = ManifestJSON(
            mediaType: Family.oci.manifest.rawValue,
            artifactType: signatures.first?.mediaType,
            config: DescriptorJSON(config),
            layers: zip(layers, signatures).map { layer, signature in
                var json = DescriptorJSON(layer)
                json.annotations = signature.annotations
                return json
            },
            subject: subject.map { DescriptorJSON($0.top) }
        )
        return TestImage(
            document: try TestDocument(bytes: try encoded(json), mediaType: .ociManifest, algorithm: algorithm),
            children: [],
            config: config,
            layers: layers,
            platform: nil
        )
    }
}
