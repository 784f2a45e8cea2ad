/// Which bytes of a blob are there, and which of the rest are fetched by whom.
///
/// It begins as one piece to the end. Where others come to help, the first of them is given a piece a little ahead, and
/// only when the registry really sends that, the first piece ends where it begins. From then on each takes the piece
/// that comes next, so that what is there stays close together.
struct BlobPieces {
    /// Bytes that one request after the other fetches, from the first to the last.
    struct Piece {
        let id: Int
        /// The first byte.
        let start: Int64
        /// The first byte that is not there.
        var position: Int64
        /// The first byte that is not being written.
        var writing: Int64
        /// Where it ends.
        var end: Int64
        /// Whether somebody fetches it.
        var isTaken = true

        var isWhole: Bool { position == end }
    }

    private let byteCount: Int64
    private let length: Int64
    /// In order and without a gap; what is before the first is there.
    private var pieces: [Piece]
    /// A piece that is asked for, and of which it is not known whether it will come.
    private var probe: Piece?
    /// How far ahead the next one is asked for: farther each time that the first piece was there before it.
    private var lead: Int64
    private var nextID: Int

    /// Begins with one piece, whose number is 0.
    ///
    /// - Parameters:
    ///   - start: how much of the blob is there.
    ///   - byteCount: the size of the blob.
    ///   - length: the size of the pieces that others are given.
    ///   - nextID: a number that no piece has had.
    init(from start: Int64, to byteCount: Int64, length: Int64, nextID: Int = 1) {
        self.byteCount = byteCount
        self.length = length
        self.nextID = nextID
        lead = length
        pieces = [Piece(id: 0, start: start, position: start, writing: start, end: byteCount)]
    }

    /// As it began, with another beginning; what is asked for still belongs to none of these pieces.
    func begunAnew(from start: Int64) -> BlobPieces {
        BlobPieces(from: start, to: byteCount, length: length, nextID: nextID)
    }

    /// How many bytes of the beginning are there.
    var prefixEnd: Int64 { (pieces.first { !$0.isWhole } ?? pieces[pieces.count - 1]).position }

    /// Whether every byte is there.
    var isWhole: Bool { prefixEnd == byteCount }

    /// Whether it is still the one piece that it began with.
    var isSingle: Bool { pieces.count == 1 && pieces[0].id == 0 && pieces[0].end == byteCount }

    /// The bytes that are there beyond the beginning.
    var aheadCount: Int64 {
        let prefixEnd = prefixEnd
        return pieces.filter { $0.start > prefixEnd }.reduce(0) { $0 + $1.position - $1.start }
    }

    /// A piece; nil where it has been forgotten, because it and everything before it is done.
    subscript(id: Int) -> Piece? { pieces.first { $0.id == id } ?? probe.flatMap { $0.id == id ? $0 : nil } }

    /// Whether there is something that nobody fetches, and that may be fetched now.
    var hasRest: Bool { mayGoAhead || pieces.contains { !$0.isTaken && !$0.isWhole } }

    /// Whether the next piece is near enough to the beginning: what is ahead of that is lost with an interruption.
    private var mayGoAhead: Bool {
        let end = pieces[pieces.count - 1].end
        return end < byteCount && end - prefixEnd < Self.aheadLimit * length
    }

    /// How many pieces may be ahead of the beginning.
    private static let aheadLimit: Int64 = 16

    /// Takes what nobody fetches: what was given back, or what comes next.
    mutating func claim() -> Int? {
        if let index = pieces.firstIndex(where: { !$0.isTaken && !$0.isWhole }) {
            pieces[index].isTaken = true
            return pieces[index].id
        }
        guard mayGoAhead else { return nil }
        let piece = makePiece(from: pieces[pieces.count - 1].end)
        pieces.append(piece)
        return piece.id
    }

    /// Takes a piece ahead of the only one, to find out whether the registry sends such; nil where that is not worth it.
    mutating func claimProbe() -> Int? {
        guard isSingle, probe == nil, byteCount - pieces[0].position > lead + length else { return nil }
        let piece = makePiece(from: pieces[0].position + lead)
        probe = piece
        return piece.id
    }

    /// Takes a piece that was asked for to find out, now that it comes.
    ///
    /// - Returns: false where the only piece has come as far meanwhile.
    mutating func keepProbe() -> Bool {
        guard let piece = probe, isSingle else { return false }
        probe = nil
        // What is being written must not be written by two.
        guard pieces[0].writing <= piece.start else {
            lead *= 2
            return false
        }
        pieces[0].end = piece.start
        pieces.append(piece)
        return true
    }

    /// Whether a piece was asked for to find out.
    func isProbe(_ id: Int) -> Bool { probe?.id == id }

    /// Forgets the piece that was asked for to find out.
    mutating func dropProbe() { probe = nil }

    /// Notes that the bytes of a piece up to a place are being written.
    mutating func write(_ id: Int, to place: Int64) { change(id) { $0.writing = place } }

    /// Notes that the bytes of a piece up to a place are there.
    mutating func advance(_ id: Int, to place: Int64) { change(id) { $0.position = place } }

    /// Gives a piece back, whose bytes so far stay.
    mutating func release(_ id: Int) { change(id) { $0.isTaken = false } }

    /// Forgets the pieces at the beginning that end before a place.
    mutating func forget(before place: Int64) {
        while pieces.count > 1, pieces[0].isWhole, pieces[0].end <= place { pieces.removeFirst() }
    }

    private mutating func makePiece(from start: Int64) -> Piece {
        defer { nextID += 1 }
        return Piece(id: nextID, start: start, position: start, writing: start, end: min(start + length, byteCount))
    }

    private mutating func change(_ id: Int, _ body: (inout Piece) -> Void) {
        guard let index = pieces.firstIndex(where: { $0.id == id }) else { return }
        body(&pieces[index])
    }
}
