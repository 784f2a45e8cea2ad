package import OCI

/// The beginning of a blob that is there already.
package struct BlobPrefix {
    /// What the bytes have been added to.
    let hasher: DigestHasher
    /// How many they are.
    let byteCount: Int64

    /// Describes a beginning; the hasher is the download's from now on.
    package init(hasher: DigestHasher, byteCount: Int64) {
        self.hasher = hasher
        self.byteCount = byteCount
    }
}

/// Holds a blob to its descriptor, from its first byte to its last: exactly its size and its digest.
final class BlobVerifier {
    private let expected: Descriptor
    private let context: RequestContext
    private let hasher: DigestHasher
    /// The bytes that were digested.
    private(set) var byteCount: Int64

    init(_ expected: Descriptor, after prefix: BlobPrefix? = nil, context: RequestContext) {
        self.expected = expected
        self.context = context
        hasher = prefix?.hasher ?? DigestHasher(algorithm: expected.digest.algorithm)
        byteCount = prefix?.byteCount ?? 0
    }

    /// Takes the bytes that come next.
    func take(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        byteCount += Int64(bytes.byteCount)
    }

    /// Takes the bytes that come next from where they were written to.
    func take(_ range: Range<Int64>, _ read: @Sendable (Range<Int64>, DigestHasher) throws -> Void) rethrows {
        try read(range, hasher)
        byteCount = range.upperBound
    }

    /// Ends the blob.
    func finish() throws {
        guard byteCount == expected.size else {
            throw RegistryError(.sizeMismatch(expected: expected.size, actual: byteCount), context)
        }
        let actual = try hasher.finish()
        guard actual == expected.digest else {
            throw RegistryError(.digestMismatch(expected: expected.digest, actual: actual), context)
        }
    }
}
