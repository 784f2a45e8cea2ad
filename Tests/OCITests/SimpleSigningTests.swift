import Foundation
import OCI
import TestSupport
import Testing

@Suite struct SimpleSigningTests {
    private let key: SigningKey
    private let publicKey: PublicKey

    init() throws {
        key = try SigningKey()
        publicKey = try PublicKey(pem: key.publicPEM)
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `it is the signature of its own digest alone`(algorithm: Digest.Algorithm) throws {
        let (digest, other) = (try Digest.of([1], algorithm: algorithm), try Digest.of([2], algorithm: algorithm))
        let signature = try TestSignature.simple(of: digest, by: key)
        #expect(try isSignature(signature, of: digest))
        #expect(try !isSignature(signature, of: other))
    }

    @Test func `it is not that of another key`() throws {
        #expect(try !isSignature(try .simple(of: signedDigest, by: SigningKey())))
        #expect(try !isSignature(try .simple(of: signedDigest, by: SigningKey(.ed25519))))
    }

    @Test func `a payload that was changed after it was signed is none`() throws {
        var signature = try TestSignature.simple(of: try Digest.of([1]), by: key)
        let text = String(decoding: signature.content, as: UTF8.self)
        signature.content = Array(text.replacing(try Digest.of([1]).description, with: signedDigest.description).utf8)
        #expect(try !isSignature(signature))
    }

    @Test(arguments: ["atomic container signature", "cosign container image signature ", ""])
    func `a payload of another type is none, though it is signed`(type: String) throws {
        #expect(try !isSignature(.simple(of: signedDigest, by: key, type: type)))
    }

    @Test(arguments: [
        "", "null", "[]", "{}", #"{"critical":null}"#, #"{"critical":{"type":"cosign container image signature"}}"#,
        #"{"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":1}}}"#,
        String(repeating: "[", count: 100_000),
    ])
    func `what is no payload is none, though it is signed`(text: String) throws {
        let content = Array(text.utf8)
        let signature = TestSignature(
            mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
            content: content,
            annotations: ["dev.cosignproject.cosign/signature": Data(try key.sign(content)).base64EncodedString()]
        )
        #expect(try !isSignature(signature))
    }

    /// `cosign attach signature` puts the text of a file there as it is, with the line end that `base64` has written.
    @Test func `the annotation may have line ends, and the other alphabet`() throws {
        let annotation = "dev.cosignproject.cosign/signature"
        var signature = try TestSignature.simple(of: signedDigest, by: key)
        let text = try #require(signature.annotations?[annotation])
        for form in [
            text + "\n", text.prefix(64) + "\r\n" + text.dropFirst(64),
            text.replacing("+", with: "-").replacing("/", with: "_"),
        ] {
            signature.annotations?[annotation] = form
            #expect(try isSignature(signature))
        }
    }

    private func isSignature(_ signature: TestSignature, of digest: Digest = signedDigest) throws -> Bool {
        try payload(of: signature).isSignature(of: digest, content: signature.content, by: publicKey)
    }
}
