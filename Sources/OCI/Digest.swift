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

        fileprivate init?(_ name: Span<UInt8>) {
            let known = Self.allCases.first { known in
                let own = known.rawValue.utf8.span
                return own.count == name.count && own.indices.allSatisfy { own[$0] == name[$0] }
            }
            guard let known else { return nil }
            self = known
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

        /// Writes 64 hexadecimal digits.
        func write(to text: inout OutputSpan<UInt8>) {
            func write(_ word: UInt64) {
                for index in 1...16 {
                    let digit = UInt8(truncatingIfNeeded: word >> UInt64(64 - 4 * index) & 15)
                    text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
                }
            }
            write(words.0)
            write(words.1)
            write(words.2)
            write(words.3)
        }

        init() {}

        /// Reads 64 hexadecimal digits.
        init(_ digits: Span<UInt8>, from start: Int) {
            func word(_ index: Int) -> UInt64 {
                var word: UInt64 = 0
                for digit in 0..<16 { word = word << 4 | UInt64(digits[start + 16 * index + digit].lowerHexValue) }
                return word
            }
            words = (word(0), word(1), word(2), word(3))
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
    public var hex: String { hex(after: "") }

    /// The value as the specifications write it: `sha256:…`.
    public var description: String {
        switch algorithm {
        case .sha256: hex(after: "sha256:")
        case .sha512: hex(after: "sha512:")
        }
    }

    /// In one piece, as there are several for each part of a bundle.
    private func hex(after start: String) -> String {
        unsafe String(unsafeUninitializedCapacity: start.utf8.count + algorithm.hexLength) { buffer in
            var text = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
            for byte in start.utf8 { text.append(byte) }
            first.write(to: &text)
            for half in rest { half.write(to: &text) }
            return unsafe text.finalize(for: buffer)
        }
    }

    /// The first eight bytes of the value, the first the most significant.
    package var prefix: UInt64 { first.words.0 }

    /// Reads `algorithm:hex`.
    ///
    /// - Throws: ``ReferenceError`` with `unsupportedDigestAlgorithm`, `invalidDigestLength` or `invalidDigestFormat`.
    public init(parsing text: String) throws(ReferenceError) {
        try self.init(parsing: text, within: text, at: 0)
    }

    /// Reads a digest that is part of a longer text, so that an error can point into the whole.
    init(parsing text: String, within whole: String, at offset: Int) throws(ReferenceError) {
        let bytes = text.utf8.span
        func error(_ code: ReferenceError.Code, at index: Int = 0) -> ReferenceError {
            ReferenceError(code, in: whole, at: offset + index)
        }
        var colon = 0
        while colon < bytes.count, bytes[colon] != UInt8(ascii: ":") { colon += 1 }
        guard 0 < colon, colon < bytes.count else { throw error(.invalidDigestFormat) }
        guard let algorithm = Algorithm(bytes.extracting(..<colon)) else {
            let isWellFormed = text.utf8.prefix(colon).allSatisfy {
                $0.isLowerAlphanumeric || "+._-".utf8.contains($0)
            }
            throw error(isWellFormed ? .unsupportedDigestAlgorithm : .invalidDigestFormat)
        }
        let span = bytes.extracting((colon + 1)...)
        guard span.count == algorithm.hexLength else { throw error(.invalidDigestLength, at: colon + 1) }
        for index in span.indices where !span[index].isLowerHex {
            throw error(.invalidDigestFormat, at: colon + 1 + index)
        }
        self.init(algorithm: algorithm, digits: span)
    }

    /// Reads an algorithm and a value that stand apart, as in a path; nil where they are no digest.
    package init?(algorithm name: Substring.UTF8View, hex digits: Substring.UTF8View) {
        let span = digits.span
        guard let algorithm = Algorithm(name.span), span.count == algorithm.hexLength else { return nil }
        for index in span.indices where !span[index].isLowerHex { return nil }
        self.init(algorithm: algorithm, digits: span)
    }

    /// Hashes the value: which algorithm it is of shows in its length.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(first)
        for half in rest { hasher.combine(half) }
    }

    private init(algorithm: Algorithm, digits: Span<UInt8>) {
        self.algorithm = algorithm
        first = Half(digits, from: 0)
        rest = algorithm == .sha512 ? [Half(digits, from: 64)] : []
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
