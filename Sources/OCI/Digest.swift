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

    /// Eight bytes four times, the first the most significant: a bundle has a digest for each of its parts, several times,
    /// and a text would be a piece of memory each.
    private struct Half: Hashable, Sendable, Comparable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        static func == (left: Half, right: Half) -> Bool { left.words == right.words }
        static func < (left: Half, right: Half) -> Bool { left.words < right.words }

        func hash(into hasher: inout Hasher) {
            hasher.combine(words.0)
            hasher.combine(words.1)
            hasher.combine(words.2)
            hasher.combine(words.3)
        }

        func appendHex(to text: inout [UInt8]) {
            for word in [words.0, words.1, words.2, words.3] {
                for shift in stride(from: UInt64(60), through: 0, by: -4) {
                    let digit = UInt8(truncatingIfNeeded: word >> shift & 15)
                    text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
                }
            }
        }

        /// Appends a byte at the end.
        mutating func append(_ byte: UInt8) {
            words.0 = words.0 << 8 | words.1 >> 56
            words.1 = words.1 << 8 | words.2 >> 56
            words.2 = words.2 << 8 | words.3 >> 56
            words.3 = words.3 << 8 | UInt64(byte)
        }
    }

    /// The algorithm that made the value.
    public let algorithm: Algorithm
    /// The first 32 bytes of the value, which are all of SHA-256.
    private let first: Half
    /// The others, which only SHA-512 has.
    private let rest: [Half]

    /// The value: lower-case hexadecimal, exactly ``Algorithm/hexLength`` digits.
    public var hex: String {
        var text: [UInt8] = []
        text.reserveCapacity(algorithm.hexLength)
        first.appendHex(to: &text)
        for half in rest { half.appendHex(to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

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
        let digits = Array(encoded)
        self.init(
            algorithm: algorithm,
            value: stride(from: 0, to: digits.count, by: 2).lazy.map {
                digits[$0].lowerHexValue << 4 | digits[$0 + 1].lowerHexValue
            }
        )
    }

    /// Takes a value whose form is right by construction.
    init(algorithm: Algorithm, value: some Sequence<UInt8>) {
        var halves = [Half(), Half()]
        for (index, byte) in value.enumerated() { halves[index / 32].append(byte) }
        self.algorithm = algorithm
        first = halves[0]
        rest = algorithm == .sha512 ? [halves[1]] : []
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
        guard left.algorithm == right.algorithm else { return left.algorithm.rawValue < right.algorithm.rawValue }
        return left.first == right.first ? left.rest.lexicographicallyPrecedes(right.rest) : left.first < right.first
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
