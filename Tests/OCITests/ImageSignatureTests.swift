import Foundation
import TestSupport
import Testing

@testable import OCI

/// The digest that is signed in the tests.
let signedDigest = Digest(algorithm: .sha256, value: [UInt8](repeating: 0xab, count: 32))

/// What a manifest with one signature says, read as any other document.
func payload(of signature: TestSignature) throws -> SignaturePayload {
    try #require(try payloads(of: [signature]).first)
}

/// The layers of a manifest that may be signatures.
func payloads(of signatures: [TestSignature]) throws -> [SignaturePayload] {
    let bytes = try ImageBuilder().signatures(signatures).document.bytes
    return ImageSignature.payloads(of: try Document(bytes: bytes, declaredType: .ociManifest))
}

@Suite struct ImageSignatureTests {
    @Test(arguments: SigningKey.Kind.allCases)
    func `both forms of a signature are found in a manifest, and checked`(kind: SigningKey.Kind) throws {
        let key = try SigningKey(kind)
        let signatures = [
            try TestSignature.simple(of: signedDigest, by: key), try TestSignature.bundle(of: signedDigest, by: key),
        ]
        let found = try payloads(of: signatures)
        #expect(found.map(\.layer.digest) == (try signatures.map { try Digest.of($0.content) }))
        let publicKey = try PublicKey(pem: key.publicPEM)
        for (payload, signature) in zip(found, signatures) {
            #expect(payload.isSignature(of: signedDigest, content: signature.content, by: publicKey))
        }
    }

    @Test func `what is of another type is passed over`() throws {
        var builder = ImageBuilder()
        let image = try builder.image(layers: [try builder.layer()])
        #expect(ImageSignature.payloads(of: try Document(bytes: image.document.bytes, declaredType: nil)).isEmpty)
        let index = try builder.index(of: [image])
        #expect(ImageSignature.payloads(of: try Document(bytes: index.document.bytes, declaredType: nil)).isEmpty)
        for type in [
            "application/vnd.dsse.envelope.v1+json", "application/vnd.cncf.notary.signature",
            "application/vnd.dev.sigstore.bundle.v0.4+json", "application/vnd.dev.sigstore.bundle+json",
            "application/vnd.dev.sigstore.bundle+json;version=1.0", "",
        ] {
            #expect(try payloads(of: [TestSignature(mediaType: type, content: [])]).isEmpty)
        }
    }

    @Test(arguments: ["0.1", "0.2", "0.3"])
    func `a bundle is one in both spellings of its type`(version: String) throws {
        for type in ["bundle.v\(version)+json", "bundle+json;version=\(version)"] {
            let signature = TestSignature(mediaType: "application/vnd.dev.sigstore." + type, content: [1])
            #expect(try payloads(of: [signature]).count == 1)
        }
    }

    @Test func `simple signing without a signature that can be read is passed over`() throws {
        for annotations in [
            nil, [:], ["dev.cosignproject.cosign/signature": "not Base64"], ["dev.sigstore.cosign/signature": "AAAA"],
        ] {
            let signature = TestSignature(
                mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
                content: [1],
                annotations: annotations
            )
            #expect(try payloads(of: [signature]).isEmpty)
        }
    }

    /// Not to be kept busy by a manifest that has thousands, or whose blobs are gigabytes.
    @Test func `layers have limits in number and size`() throws {
        func json(size: Int) -> String { descriptor("application/vnd.dev.sigstore.bundle.v0.3+json", size: "\(size)") }
        let layers = [json(size: (1 << 20) + 1), json(size: .max)] + (0..<100).map { json(size: (1 << 20) - $0) }
        let manifest = try document(#"{"config":\#(descriptor()),"layers":[\#(layers.joined(separator: ","))]}"#)
        #expect(ImageSignature.payloads(of: manifest).map(\.layer.size) == (36..<100).map { (1 << 20) - $0 })
    }

    /// A caller who did not heed the size of the layer.
    @Test func `content over the limit is no signature`() throws {
        let key = try SigningKey()
        var signature = try TestSignature.bundle(of: signedDigest, by: key)
        let payload = try payload(of: signature)
        let publicKey = try PublicKey(pem: key.publicPEM)
        signature.content += [UInt8](repeating: UInt8(ascii: " "), count: (1 << 20) - signature.content.count)
        #expect(payload.isSignature(of: signedDigest, content: signature.content, by: publicKey))
        #expect(!payload.isSignature(of: signedDigest, content: signature.content + [0x20], by: publicKey))
    }
}
