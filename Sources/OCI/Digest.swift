/// A digest of content: an algorithm and its value in lower-case hexadecimal.
///
/// Spec: image "Digests". Only the two registered algorithms are known; both are computed by ``DigestHasher``.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// A registered digest algorithm.
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case sha256
        case sha512

        /// The number of hexadecimal digits of a value.
        public var hexLength: Int {
            switch self {
            case .sha256: 64
            case .sha512: 128
            }
        }
    }

    /// The algorithm that made the value.
    public let algorithm: Algorithm
    /// The value: lower-case hexadecimal, exactly ``Algorithm/hexLength`` digits.
    public let hex: String

    /// The value as the specifications write it: `sha256:…`.
    public var description: String { "\(algorithm.rawValue):\(hex)" }

    /// Reads `algorithm:hex`.
    ///
    /// - Throws: ``ReferenceError`` with `unsupportedDigestAlgorithm`, `invalidDigestLength` or `invalidDigestFormat`.
    public init(parsing text: String) throws(ReferenceError) {
        try self.init(parsing: text, within: text, at: 0)
    }

    /// Reads a digest that is part of a longer text, so that an error can point into the whole.
    init(parsing text: String, within whole: String, at offset: Int) throws(ReferenceError) {
        let bytes = Array(text.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw ReferenceError(.invalidDigestFormat, in: whole, at: offset)
        }
        let name = String(decoding: bytes[..<colon], as: UTF8.self)
        let encoded = bytes[(colon + 1)...]
        guard let algorithm = Algorithm(rawValue: name) else {
            let wellFormed = bytes[..<colon].allSatisfy { $0.isLowerAlphanumeric || "+._-".utf8.contains($0) }
            throw ReferenceError(
                wellFormed ? .unsupportedDigestAlgorithm : .invalidDigestFormat,
                in: whole,
                at: offset
            )
        }
        guard encoded.count == algorithm.hexLength else {
            throw ReferenceError(.invalidDigestLength, in: whole, at: offset + colon + 1)
        }
        if let wrong = encoded.firstIndex(where: { !$0.isLowerHex }) {
            throw ReferenceError(.invalidDigestFormat, in: whole, at: offset + wrong)
        }
        self.algorithm = algorithm
        self.hex = String(decoding: encoded, as: UTF8.self)
    }

    /// Takes a value whose form is right by construction.
    init(algorithm: Algorithm, value: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(algorithm.hexLength)
        for byte in value {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        self.algorithm = algorithm
        self.hex = String(decoding: text, as: UTF8.self)
    }

    /// Digests bytes that are in memory.
    ///
    /// - Throws: ``DigestHasherError`` when OpenSSL refuses the algorithm.
    public static func of(
        _ bytes: some Collection<UInt8>,
        algorithm: Algorithm = .sha256
    ) throws(DigestHasherError) -> Digest {
        let hasher = DigestHasher(algorithm: algorithm)
        let array = Array(bytes)
        unsafe array.withUnsafeBytes { unsafe hasher.update($0) }
        return try hasher.finish()
    }
}

extension Digest: Comparable {
    /// Orders by algorithm, then by value: the order of the blobs within a bundle.
    public static func < (left: Digest, right: Digest) -> Bool {
        (left.algorithm.rawValue, left.hex) < (right.algorithm.rawValue, right.hex)
    }
}

extension Digest: Codable {
    /// Decodes `algorithm:hex`.
    public init(from decoder: any Decoder) throws {
        self = try decoder.parsed { text throws(ReferenceError) in try Digest(parsing: text) }
    }

    /// Encodes `algorithm:hex`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Decoder {
    /// Decodes a text and reads it.
    ///
    /// - Parameter parse: reads it.
    /// - Returns: what was read.
    /// - Throws: `DecodingError` with the rule that the text breaks.
    func parsed<Value>(_ parse: (String) throws(ReferenceError) -> Value) throws -> Value {
        let text = try singleValueContainer().decode(String.self)
        do {
            return try parse(text)
        } catch {
            throw DecodingError.dataCorrupted(.init(codingPath: codingPath, debugDescription: error.description))
        }
    }
}
