import Foundation
import TestSupport
import Testing

@testable import OCI

@Suite struct SigstoreBundleTests {
    private let key: SigningKey
    private let publicKey: PublicKey

    init() throws {
        key = try SigningKey()
        publicKey = try PublicKey(pem: key.publicPEM)
    }

    /// The example of DSSE's "Test Vectors".
    @Test func `what is signed of an envelope is its type and its payload, with their lengths`() {
        let signed = SigstoreBundle.signed(Array("hello world".utf8), type: "http://example.com/HelloWorld")
        #expect(String(decoding: signed, as: UTF8.self) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
        #expect(String(decoding: SigstoreBundle.signed([], type: "é"), as: UTF8.self) == "DSSEv1 2 é 0 ")
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `it is the signature of its own subject alone`(algorithm: Digest.Algorithm) throws {
        let (digest, other) = (try Digest.of([1], algorithm: algorithm), try Digest.of([2], algorithm: algorithm))
        let signature = try TestSignature.bundle(of: digest, by: key)
        #expect(try isSignature(signature, of: digest))
        #expect(try !isSignature(signature, of: other))
    }

    @Test func `it is not that of another key`() throws {
        #expect(try !isSignature(try .bundle(of: signedDigest, by: SigningKey())))
        #expect(try !isSignature(try .bundle(of: signedDigest, by: SigningKey(.ed25519))))
    }

    @Test(arguments: [
        ("https://in-toto.io/Statement/v1", true), ("https://in-toto.io/Statement/v0.1", true),
        ("https://in-toto.io/Statement/v2", false), ("", false),
    ])
    func `the statement is of a known type`(type: String, isSignature: Bool) throws {
        #expect(try self.isSignature(.bundle(of: signedDigest, by: key, statementType: type)) == isSignature)
    }

    /// Who only says how an image was made has not said that it may be used.
    @Test(arguments: [
        "https://slsa.dev/provenance/v1", "https://spdx.dev/Document", "https://cosign.sigstore.dev/attestation/v1",
        "https://sigstore.dev/cosign/sign/v1 ", "",
    ])
    func `an attestation is none, though it is signed`(predicateType: String) throws {
        #expect(try !isSignature(.bundle(of: signedDigest, by: key, predicateType: predicateType)))
    }

    @Test(arguments: ["application/json", "application/vnd.in-toto+JSON", ""])
    func `an envelope of another type is none, though it is signed`(payloadType: String) throws {
        #expect(try !isSignature(.bundle(of: signedDigest, by: key, payloadType: payloadType)))
    }

    /// Or what was signed as one thing could be passed off as another.
    @Test func `the type of the payload is signed with it`() throws {
        let signature = try TestSignature.bundle(of: signedDigest, by: key, payloadType: "application/json")
        #expect(try !isSignature(changed(signature, "application/json", to: "application/vnd.in-toto+json")))
    }

    @Test(arguments: [
        // Another key of the same name beside it is not looked for, so it is not there.
        ("\"dsseEnvelope\"", "\"messageSignature\""),
        ("\"signatures\":[", #""signatures":[{"sig":"AAAA"},"#),
        ("\"sig\":\"", "\"sig\":\"*"),
        ("\"sig\":\"", "\"other\":\""),
        ("\"payload\":\"", "\"payload\":\"AAAA"),
        ("\"payload\":\"", "\"payload\":\"*"),
        ("\"signatures\":[{", "\"signatures\":[],\"more\":[{"),
    ])
    func `a bundle that was changed is none`(text: String, change: String) throws {
        let signature = try TestSignature.bundle(of: signedDigest, by: key)
        #expect(try isSignature(signature))
        #expect(try !isSignature(changed(signature, text, to: change)))
    }

    @Test(arguments: [
        #"{"digest":{"sha512":"HEX"}}"#, #"{"digest":{"SHA256":"HEX"}}"#, #"{"name":"HEX"}"#,
        #"{"digest":{"sha256":"sha256:HEX"}}"#, #"{"digest":{"sha256":""}}"#,
    ])
    func `a subject is its digest under the name of its algorithm`(subject: String) throws {
        let subject = subject.replacing("HEX", with: signedDigest.hex)
        #expect(try !isSignature(bundle(subjects: [subject])))
        // Any of several is good.
        let own = #"{"digest":{"gitCommit":"0","sha256":"\#(signedDigest.hex)"}}"#
        #expect(try isSignature(bundle(subjects: [subject, own])))
    }

    @Test(arguments: ["", "null", "[]", "{}", #"{"dsseEnvelope":{}}"#, String(repeating: "[", count: 100_000)])
    func `what is no bundle is none`(text: String) throws {
        let mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
        #expect(try !isSignature(TestSignature(mediaType: mediaType, content: Array(text.utf8))))
    }

    private func isSignature(_ signature: TestSignature, of digest: Digest = signedDigest) throws -> Bool {
        try payload(of: signature).isSignature(of: digest, content: signature.content, by: publicKey)
    }

    private func changed(_ signature: TestSignature, _ text: String, to change: String) throws -> TestSignature {
        var result = signature
        let bundle = String(decoding: signature.content, as: UTF8.self)
        try #require(bundle.contains(text))
        result.content = Array(bundle.replacing(text, with: change).utf8)
        return result
    }

    private func bundle(subjects: [String]) throws -> TestSignature {
        let statement = """
            {"_type":"https://in-toto.io/Statement/v1","predicateType":"https://sigstore.dev/cosign/sign/v1",\
            "subject":[\(subjects.joined(separator: ","))]}
            """
        let type = "application/vnd.in-toto+json"
        let sig = Data(try key.sign(SigstoreBundle.signed(Array(statement.utf8), type: type))).base64EncodedString()
        var result = try TestSignature.bundle(of: signedDigest, by: key)
        let payload = Data(statement.utf8).base64EncodedString()
        let json = #"{"payload":"\#(payload)","payloadType":"\#(type)","signatures":[{"sig":"\#(sig)"}]}"#
        result.content = Array(#"{"dsseEnvelope":\#(json)}"#.utf8)
        return result
    }
}
