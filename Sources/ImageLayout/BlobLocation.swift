import OCI

/// Where the bytes of a blob are: a range of an open file.
package struct BlobLocation: Sendable {
    let file: OpenFile
    /// The bytes of the file.
    package let range: Range<Int64>

    /// The open file, for `pread` and `sendfile`; it is open as long as this value is kept.
    package var descriptor: Int32 { file.descriptor }
}

/// Where the blobs of a layout are: in a tar file, in files of a directory, or, where they were made of something else, in
/// a file without a name.
struct LayoutBlobs: Sendable {
    private enum Place: Sendable {
        /// A range of the file that the layout is.
        case within(Range<Int64>)
        /// A range of the file that has what was made.
        case made(Range<Int64>)
        /// A file of its own.
        case file(byteCount: Int64)
    }

    /// The tar file, or the directory.
    private let root: OpenFile
    private let made: OpenFile?
    private let places: [Digest: Place]

    /// The blobs of a tar file, and what was made besides.
    init(of root: OpenFile, ranges: [Digest: Range<Int64>], made: MadeBlobs? = nil) {
        self.root = root
        self.made = made?.file
        let own = (made?.ranges ?? [:]).mapValues(Place.made)
        places = ranges.mapValues(Place.within).merging(own) { within, _ in within }
    }

    /// The blobs of a directory, with their sizes.
    init(of root: OpenFile, byteCounts: [Digest: Int64]) {
        self.root = root
        made = nil
        places = byteCounts.mapValues(Place.file)
    }

    /// All that are there.
    var digests: some Collection<Digest> { places.keys }

    /// The size of a blob; nil where it is not there.
    func byteCount(of blob: Digest) -> Int64? {
        switch places[blob] {
        case .within(let range), .made(let range): Int64(range.count)
        case .file(let byteCount): byteCount
        case nil: nil
        }
    }

    /// Where a blob lies in the tar file; nil where it is not in one.
    func range(of blob: Digest) -> Range<Int64>? {
        if case .within(let range) = places[blob] { range } else { nil }
    }

    /// Opens a blob; nil where it is not there.
    ///
    /// - Throws: ``LayoutError`` where its file cannot be opened, or has another size by now.
    func location(of blob: Digest) throws(LayoutError) -> BlobLocation? {
        switch places[blob] {
        case .within(let range): BlobLocation(file: root, range: range)
        case .made(let range): made.map { BlobLocation(file: $0, range: range) }
        case .file(let byteCount): BlobLocation(file: try root.blob(blob, byteCount: byteCount), range: 0..<byteCount)
        case nil: nil
        }
    }

    /// Reads a blob whose size the caller has bounded; nil where it is not there.
    func bytes(of blob: Digest) throws(LayoutError) -> [UInt8]? {
        guard let location = try location(of: blob) else { return nil }
        return try location.file.bytes(in: location.range)
    }
}
