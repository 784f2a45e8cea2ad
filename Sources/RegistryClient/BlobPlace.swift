package import OCI

/// Takes the bytes of a blob as they arrive, with their offset within the blob.
///
/// A blob that has to begin again begins again at the offset 0.
/// It is called on the connection's thread, and the connection waits for it.
package typealias BlobSink = @Sendable (_ bytes: RawSpan, _ offset: Int64) throws -> Void

/// Where the bytes of a blob go, whatever order they come in.
package struct BlobPlace: Sendable {
    /// Takes bytes.
    package let write: BlobSink
    /// Adds bytes that were taken to a digest; nil where they cannot be had again, so that they have to come in order.
    package var read: (@Sendable (_ range: Range<Int64>, _ hasher: DigestHasher) throws -> Void)?
    /// Hears how many bytes of the beginning there are, each time that there are more.
    package var note: @Sendable (_ byteCount: Int64) throws -> Void = { _ in }
    /// Hears that the blob begins again, and how many bytes were taken in vain.
    package var restarting: @Sendable (_ byteCount: Int64) -> Void = { _ in }
    /// Hears that so many bytes beyond the beginning were taken in vain.
    package var lost: @Sendable (_ byteCount: Int64) -> Void = { _ in }

    /// A place that is only written to.
    package init(write: @escaping BlobSink) { self.write = write }
}

/// How a large blob is fetched by several requests at once.
package struct RangePolicy: Sendable {
    /// The most requests for one blob; 1 for one after the other.
    package var requestLimit = 8
    /// A blob of up to so many bytes is fetched by one.
    package var blobByteCount: Int64 = 64 << 20
    /// How many bytes a request asks for: enough that the way to the registry does not matter, and few enough to be
    /// fetched again after an interruption.
    package var pieceByteCount: Int64 = 8 << 20
    /// The bytes in a second from which on a connection is not slow: it fills a line of a gigabit.
    package var fullRate = 100e6
    /// After what time it is looked again whether more would help.
    package var interval = Duration.milliseconds(200)

    /// The defaults.
    package init() {}
}
