import OCI

/// Holds a blob that streams by to its descriptor: at most its size, then exactly its size and its digest.
final class BlobVerifier {
    private let expected: Descriptor
    private let context: RequestContext
    private let hasher: DigestHasher
    private var byteCount: Int64 = 0

    init(_ expected: Descriptor, context: RequestContext) {
        self.expected = expected
        self.context = context
        hasher = DigestHasher(algorithm: expected.digest.algorithm)
    }

    /// Adds bytes and hands them on.
    func take(_ bytes: RawSpan, sink: BlobSink) throws {
        let offset = byteCount
        byteCount += Int64(bytes.byteCount)
        guard byteCount <= expected.size else {
            throw RegistryError(.sizeMismatch(expected: expected.size, actual: byteCount), context)
        }
        unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        do {
            try sink(bytes, offset)
        } catch {
            throw TransportFailure.SinkFailure(underlying: error)
        }
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
