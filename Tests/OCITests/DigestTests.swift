import Foundation
import OCI
import TestSupport
import Testing

@Suite struct DigestTests {
    /// From FIPS 180-4's examples: nothing, "abc", and a million times "a".
    @Test(arguments: [
        ("", 1, Digest.Algorithm.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", 1, .sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("a", 1_000_000, .sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (
            "", 1, .sha512,
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                + "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
        (
            "abc", 1, .sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "a", 1_000_000, .sha512,
            "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
                + "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"
        ),
    ])
    func `known digests`(text: String, count: Int, algorithm: Digest.Algorithm, hex: String) throws {
        let bytes = Array(String(repeating: text, count: count).utf8)
        let digest = try Digest.of(bytes, algorithm: algorithm)
        #expect(digest.hex == hex)
        #expect(digest.description == "\(algorithm.rawValue):\(hex)")
        #expect(try Digest(parsing: digest.description) == digest)
    }

    @Test(arguments: [1, 3, 63, 64, 65, 4095, 100_000], Digest.Algorithm.allCases)
    func `a digest of pieces is the digest of the whole`(size: Int, algorithm: Digest.Algorithm) throws {
        let bytes = RandomBytes.make(count: 70_001, seed: UInt64(size))
        let hasher = DigestHasher(algorithm: algorithm)
        hasher.update(UnsafeRawBufferPointer(start: nil, count: 0))
        for start in stride(from: 0, to: bytes.count, by: size) {
            bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { hasher.update($0) }
        }
        #expect(try hasher.finish() == Digest.of(bytes, algorithm: algorithm))
    }

    @Test(arguments: [
        InvalidVector("", .invalidDigestFormat, at: 0),
        InvalidVector("sha256", .invalidDigestFormat, at: 0),
        InvalidVector(":\(f64)", .invalidDigestFormat, at: 0),
        InvalidVector("SHA256:\(f64)", .invalidDigestFormat, at: 0),
        InvalidVector("sha 256:\(f64)", .invalidDigestFormat, at: 0),
        InvalidVector("md5:\(f64)", .unsupportedDigestAlgorithm, at: 0),
        InvalidVector("sha384:" + String(repeating: "f", count: 96), .unsupportedDigestAlgorithm, at: 0),
        InvalidVector("sha256:", .invalidDigestLength, at: 7),
        InvalidVector("sha256:\(f64)f", .invalidDigestLength, at: 7),
        InvalidVector("sha256:\(f64)\n", .invalidDigestLength, at: 7),
        InvalidVector("sha512:\(f64)", .invalidDigestLength, at: 7),
        InvalidVector("sha256:\(f64.dropLast())F", .invalidDigestFormat, at: 70),
        InvalidVector("sha256:\(f64.dropLast(2))é", .invalidDigestFormat, at: 69),
        InvalidVector("sha256:../\(f64.dropLast(3))", .invalidDigestFormat, at: 7),
    ])
    func `what is no digest is refused with the rule and the place`(vector: InvalidVector) {
        let error = #expect(throws: ReferenceError.self) { try Digest(parsing: vector.text) }
        #expect(error?.code == vector.code)
        #expect(error?.offset == vector.offset)
    }

    @Test func `digests sort by algorithm, then by value`() throws {
        let texts = ["sha512:\(String(repeating: "0", count: 128))", "sha256:\(f64)", "sha256:0\(f64.dropLast())"]
        let sorted = try texts.map { try Digest(parsing: $0) }.sorted()
        #expect(sorted.map(\.description) == texts.reversed())
    }

    @Test func `a digest is a string in JSON, and a wrong one says why`() throws {
        let digest = try Digest(parsing: "sha256:\(f64)")
        #expect(String(decoding: try JSONEncoder().encode([digest]), as: UTF8.self) == #"["sha256:\#(f64)"]"#)
        #expect(try JSONDecoder().decode([Digest].self, from: Data(#"["sha256:\#(f64)"]"#.utf8)) == [digest])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Digest].self, from: Data(#"["sha256:0"]"#.utf8))
        }
    }
}
