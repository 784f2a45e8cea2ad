import CLibCrypto
import Foundation
import TestSupport
import Testing

@testable import OCI

/// A text that is no key that is taken, with what is said of it.
struct KeyErrorVector: Sendable, CustomTestStringConvertible {
    let pem: [UInt8]
    let code: SignatureError.Code
    let reason: String

    init(_ pem: String, _ code: SignatureError.Code, _ reason: String) {
        self.pem = Array(pem.utf8)
        self.code = code
        self.reason = reason
    }

    init(block label: String, _ reason: String) {
        self.init(pemText(label, "AAAA"), .wrongBlock(label: label), reason)
    }

    init(publicKey content: String, _ name: String) {
        self.init(pemText("PUBLIC KEY", content), .wrongAlgorithm(name: name), "it is a public key for \(name)")
    }

    init(publicKey content: String, unreadable reason: String) {
        self.init(
            pemText("PUBLIC KEY", content),
            .unreadable(reason: reason),
            "its public key cannot be read: \(reason)"
        )
    }

    var testDescription: String { reason }
}

@Suite struct PublicKeyErrorTests {
    private static let p256 = String(decoding: KeyVector.p256.pem, as: UTF8.self)

    @Test(arguments: [
        KeyErrorVector("", .empty, "it is empty"),
        KeyErrorVector(" \n\r\n\t\n", .empty, "it is empty"),
        KeyErrorVector("rubbish", .notPEM, "it has no whole PEM block"),
        KeyErrorVector("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here", .notPEM, "it has no whole PEM block"),
        KeyErrorVector(String(p256.dropLast(10)), .notPEM, "it has no whole PEM block"),
        KeyErrorVector(p256.replacing("END PUBLIC", with: "END OTHER"), .notPEM, "it has no whole PEM block"),
        KeyErrorVector("-----BEGIN -----\n", .notPEM, "it has no whole PEM block"),
        KeyErrorVector(p256 + p256, .severalBlocks, "it has more than one PEM block"),
        KeyErrorVector(pemText("PRIVATE KEY", "AAAA") + p256, .severalBlocks, "it has more than one PEM block"),
        KeyErrorVector(block: "PRIVATE KEY", "it is a private key"),
        KeyErrorVector(block: "EC PRIVATE KEY", "it is a private key"),
        KeyErrorVector(block: "ENCRYPTED SIGSTORE PRIVATE KEY", "it is a private key"),
        KeyErrorVector(block: "CERTIFICATE", "it is a certificate"),
        KeyErrorVector(block: "CERTIFICATE REQUEST", "it is a request for a certificate"),
        KeyErrorVector(block: "RSA PUBLIC KEY", "it is a public key for RSA"),
        KeyErrorVector(block: "PGP PUBLIC KEY BLOCK", "it is an OpenPGP key"),
        KeyErrorVector(block: "EC PARAMETERS", #"it is a PEM block of another kind, "EC PARAMETERS""#),
    ])
    func `what is no public key is refused by what it is`(vector: KeyErrorVector) { expect(vector) }

    /// All by `openssl genpkey` and `openssl pkey -pubout`, as in ``KeyVector``.
    @Test(arguments: [
        KeyErrorVector(
            publicKey: """
                MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCnlm4zYMz7K0CuilTzsCZMbMUR
                DXnUKYuCgh7rjgWdu0LQ/SJRtvXqm2HRPUz+gVOVuWol7RIfCQxwwmvK7yPl03GP
                BQVdEo/a7B6Bqno80ic0RvhxKCQqx5nUveq8SB30IaZflnP2xMex+MVrondJPtyb
                UdOp7p+5bla2lCwbnQIDAQAB
                """,
            "RSA"
        ),
        KeyErrorVector(
            publicKey: """
                MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEw/UnxY/a3S+a8fU8slVCoEXBb+R5dK/i
                stCAsIfP/NjQrX3gj1J/Pty0wrG291AfR5M082LqKmYX2jnJ9/8XJWLbN0GJh2PV
                NVGKeKRAB+rbE5sfBjcs2pWAUg7J1l/v
                """,
            "ECDSA on P-384"
        ),
        KeyErrorVector(
            publicKey: """
                MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEwQHTtIrDSUQp6/0A02PP7rbm63pfiAhp
                vVFyH3pOTRRrHBrb68QedJtJyJm9RzrsDeEOe8uBYtGh6x+OAC5wcw==
                """,
            "ECDSA on secp256k1"
        ),
        KeyErrorVector(
            publicKey: """
                MEMwBQYDK2VxAzoAYoPezBUuAvdJ+PBa7HVVkVf1z9BYAdmPSPHFrikN7rl/0jaY
                mcaNhGqi1n6pyp13k9Gap6gMYNOA
                """,
            "ED448"
        ),
        KeyErrorVector(publicKey: "MCowBQYDK2VuAyEAI9arFZFXwLintL3oL5oBeK7GxwkK5cXYKGyUCOoahCg=", "X25519"),
    ])
    func `a key of another algorithm is refused by its name`(vector: KeyErrorVector) { expect(vector) }

    @Test(arguments: [
        KeyErrorVector(publicKey: "", unreadable: "OpenSSL finds no key in it"),
        KeyErrorVector(publicKey: "AAAA", unreadable: "OpenSSL finds no key in it"),
        KeyErrorVector(publicKey: "AAA", unreadable: "it is not Base64"),
        KeyErrorVector(publicKey: "Proc-Type: 4,ENCRYPTED\n\nAAAA", unreadable: "it is not Base64"),
        // The key of the vectors with something after it, which another reader might take for the key.
        KeyErrorVector(
            publicKey: "MCowBQYDK2VwAyEAnNKXDClz/zOzCMgp9018YwFW4tUHyD8FrOwze+OECZYA",
            unreadable: "OpenSSL finds no key in it"
        ),
        // The key of the vectors off its curve.
        KeyErrorVector(
            publicKey: """
                MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAR1xQc4XJGj61qlP1yPKyFKzD6Cn
                up8UOjnDdoTU0UmD99VMaND6BT/rIylEAqOrwcpYHMj6fC42xo6HgID3bA==
                """,
            unreadable: "OpenSSL finds no key in it"
        ),
        // The point at infinity, written by hand: with it, what anybody signs would be right.
        KeyErrorVector(
            publicKey: "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA",
            unreadable: "it is no point of the curve"
        ),
    ])
    func `what is a public key by its label alone is refused`(vector: KeyErrorVector) { expect(vector) }

    @Test func `a real private key and a real certificate are refused`() throws {
        let scratch = try ScratchDirectory()
        let certificate = try TestCertificate.make(in: scratch)
        func reason(_ name: String) throws -> String? {
            let pem = try scratch.read(name)
            return #expect(throws: SignatureError.self) { try PublicKey(pem: pem) }?.description
        }
        #expect(certificate.keyPath == scratch.path("server.key"))
        #expect(try reason("server.key")?.hasPrefix("it is a private key; ") == true)
        #expect(try reason("server.pem")?.hasPrefix("it is a certificate; ") == true)
    }

    @Test func `a key has a limit, which a comment may reach`() throws {
        let key = KeyVector.p256.pem
        let longest = [UInt8](repeating: UInt8(ascii: "\n"), count: PublicKey.byteLimit - key.count) + key
        #expect(throws: Never.self) { try PublicKey(pem: longest) }
        let error = #expect(throws: SignatureError.self) { try PublicKey(pem: longest + [UInt8(ascii: "\n")]) }
        #expect(error?.code == .tooLarge(byteCount: 65_537))
        #expect(error?.description.hasPrefix("it has more than 64 KiB; ") == true)
    }

    @Test func `an unknown kind of block is shown without control characters, and not whole`() throws {
        let pem = pemText("\u{1b}[31m" + String(repeating: "x", count: 1000), "AAAA")
        let error = #expect(throws: SignatureError.self) { try PublicKey(pem: Array(pem.utf8)) }
        #expect(error?.description.hasPrefix(#"it is a PEM block of another kind, "\u{1B}[31mxxx"#) == true)
        #expect((error?.description.utf8.count ?? 0) < 500)
    }

    private func expect(_ vector: KeyErrorVector) {
        let error = #expect(throws: SignatureError.self) { try PublicKey(pem: vector.pem) }
        #expect(error?.code == vector.code)
        #expect(
            error?.description == vector.reason + "; a public key in PEM for ECDSA on P-256 or for Ed25519 is taken"
        )
        #expect(ERR_peek_error() == 0)
    }
}
