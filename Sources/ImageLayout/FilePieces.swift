/// Gives a range of a file piece by piece, as it is asked for.
@safe
final class FilePieces {
    private let file: OpenFile
    private var rest: Range<Int64>
    private let buffer: UnsafeMutableRawBufferPointer

    init(_ file: OpenFile, _ range: Range<Int64>) {
        self.file = file
        rest = range
        unsafe buffer = .allocate(byteCount: min(max(range.count, 1), OpenFile.pieceLength), alignment: 16)
    }

    deinit { unsafe buffer.deallocate() }

    /// Reads the next piece, which stays as it is until the next call or the end of this object; an empty one at the end.
    func next() throws(LayoutError) -> UnsafeRawBufferPointer {
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(rest.count, buffer.count)])
        try unsafe file.read(into: piece, at: rest.lowerBound)
        rest = (rest.lowerBound + Int64(piece.count))..<rest.upperBound
        return UnsafeRawBufferPointer(piece)
    }
}
