import CLibCrypto
import Foundation
import TestSupport
import Testing

@testable import OCI

/// A key, and what it has signed. All were made by OpenSSL 3.0:
///
/// - `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, and `-algorithm ED25519`
/// - `openssl pkey -pubout`, with `-ec_conv_form compressed` for the short form
/// - `openssl dgst -sha256 -sign`, and `openssl pkeyutl -sign -rawin`
struct KeyVector: Sendable, CustomTestStringConvertible {
    let algorithm: PublicKey.Algorithm
    let pem: [UInt8]
    let signature: [UInt8]
    let message = Array("a message".utf8)

    var testDescription: String { algorithm.rawValue }

    private init(_ algorithm: PublicKey.Algorithm, key: String, signature: String) {
        self.algorithm = algorithm
        pem = Array(pemText("PUBLIC KEY", key).utf8)
        self.signature = Data(base64Encoded: signature).map(Array.init) ?? []
    }

    static let p256 = KeyVector(
        .ecdsaP256,
        key: """
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAR1xQc4XJGj61qlP1yPKyFKzD6Cn
            up8UOjnDdoTU0UmD99VMaND6BT/rIylEAqOrwcpYHMj6fC42xo6HgID3aw==
            """,
        signature: "MEYCIQC/1QKzob3uuRM36ftp2lm4XezsP8miTEGKrOqmHE2IXgIhALQwEigS0Rj9Tv7N+44VNg/dPKHTZEn8qnSpV0LNye+C"
    )

    static let compressedP256 = KeyVector(
        .ecdsaP256,
        key: """
            MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADAR1xQc4XJGj61qlP1yPKyFKzD6Cn
            up8UOjnDdoTU0Uk=
            """,
        signature: "MEYCIQC/1QKzob3uuRM36ftp2lm4XezsP8miTEGKrOqmHE2IXgIhALQwEigS0Rj9Tv7N+44VNg/dPKHTZEn8qnSpV0LNye+C"
    )

    static let ed25519 = KeyVector(
        .ed25519,
        key: "MCowBQYDK2VwAyEAnNKXDClz/zOzCMgp9018YwFW4tUHyD8FrOwze+OECZY=",
        signature: "ycGb9h9mm0owov1Xsuq5FWxhal4psqcFRofIRRgVvFBmauuaUDLPEPGG608LCAuy+HRO7CiaNcsm3tDfzKzRBw=="
    )
}

/// A block of PEM.
func pemText(_ label: String, _ content: String) -> String {
    "-----BEGIN \(label)-----\n\(content)\n-----END \(label)-----\n"
}

@Suite struct PublicKeyTests {
    @Test(arguments: [KeyVector.p256, .compressedP256, .ed25519])
    func `a signature that openssl has made is right`(vector: KeyVector) throws {
        let key = try PublicKey(pem: vector.pem)
        #expect(key.algorithm == vector.algorithm)
        #expect(key.verifies(vector.signature, of: vector.message))
        #expect(ERR_peek_error() == 0)
    }

    @Test(arguments: [KeyVector.p256, .ed25519])
    func `any bit that is flipped makes it wrong`(vector: KeyVector) throws {
        let key = try PublicKey(pem: vector.pem)
        for index in vector.signature.indices {
            var signature = vector.signature
            signature[index] ^= 1 << UInt8(index % 8)
            #expect(!key.verifies(signature, of: vector.message))
        }
        for index in vector.message.indices {
            var message = vector.message
            message[index] ^= 1
            #expect(!key.verifies(vector.signature, of: message))
        }
        #expect(ERR_peek_error() == 0)
    }

    @Test(arguments: [KeyVector.p256, .ed25519])
    func `a signature of another length is wrong, and leaves no error with OpenSSL`(vector: KeyVector) throws {
        let key = try PublicKey(pem: vector.pem)
        for count in vector.signature.indices {
            #expect(!key.verifies(Array(vector.signature.prefix(count)), of: vector.message))
            #expect(ERR_peek_error() == 0)
        }
        let rubbish = [UInt8](repeating: 0x30, count: 100_000)
        for signature in [vector.signature + [0], rubbish] {
            #expect(!key.verifies(signature, of: vector.message))
            #expect(ERR_peek_error() == 0)
        }
        #expect(!key.verifies([], of: []))
        #expect(!key.verifies(vector.signature, of: []))
    }

    @Test func `a signature is not that of another key`() throws {
        let (first, second) = (try PublicKey(pem: KeyVector.p256.pem), try PublicKey(pem: KeyVector.ed25519.pem))
        #expect(!first.verifies(KeyVector.ed25519.signature, of: KeyVector.ed25519.message))
        #expect(!second.verifies(KeyVector.p256.signature, of: KeyVector.p256.message))
        #expect(ERR_peek_error() == 0)
    }

    @Test(arguments: SigningKey.Kind.allCases)
    func `keys of today are as good as those of the vectors`(kind: SigningKey.Kind) throws {
        let (own, other) = (try SigningKey(kind), try SigningKey(kind))
        // Less and more than a block of any digest.
        for message in [[0], RandomBytes.make(count: 100_000, seed: 1)] {
            let signature = try own.sign(message)
            #expect(try PublicKey(pem: own.publicPEM).verifies(signature, of: message))
            #expect(try !PublicKey(pem: other.publicPEM).verifies(signature, of: message))
        }
    }

    @Test func `a key is found between other text, whatever its lines end with`() throws {
        let text = String(decoding: KeyVector.p256.pem, as: UTF8.self)
        let key = try PublicKey(pem: KeyVector.p256.pem)
        let forms = [
            "The key of ACME\n\n" + text + "\nuntil 2030\n",
            text.replacing("\n", with: "\r\n"),
            text.replacing("\n", with: " \n  "),
            String(text.dropLast()),
        ]
        for form in forms { #expect(try PublicKey(pem: Array(form.utf8)) == key) }
    }

    @Test func `a key is checked with by many at once`() async throws {
        let key = try PublicKey(pem: KeyVector.p256.pem)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 {
                group.addTask { key.verifies(KeyVector.p256.signature, of: KeyVector.p256.message) }
            }
            for await isRight in group { #expect(isRight) }
        }
    }
}
