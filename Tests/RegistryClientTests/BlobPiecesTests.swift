import TestSupport
import Testing

@testable import RegistryClient

@Suite struct BlobPiecesTests {
    /// Takes a number of bytes of a piece, as a connection does.
    private func take(_ count: Int64, of id: Int, _ pieces: inout BlobPieces) throws {
        let piece = try #require(pieces[id])
        let place = min(piece.position + count, piece.end)
        pieces.write(id, to: place)
        pieces.advance(id, to: place)
    }

    @Test func `it begins as one piece to the end`() throws {
        var pieces = BlobPieces(from: 0, to: 100, length: 10)
        #expect(pieces.isSingle)
        #expect(!pieces.hasRest)
        let next = pieces.claim()
        #expect(next == nil)
        try take(100, of: 0, &pieces)
        #expect(pieces.isWhole)
        #expect(pieces.prefixEnd == 100)
    }

    @Test func `who helps begins ahead, and the first piece ends there`() throws {
        var pieces = BlobPieces(from: 5, to: 100, length: 10)
        try take(3, of: 0, &pieces)
        let asked = pieces.claimProbe()
        let probe = try #require(asked)
        #expect(pieces[probe]?.start == 18)
        #expect(pieces[probe]?.end == 28)
        // Until it comes the first goes on as before, and nobody else asks.
        #expect(pieces.isSingle)
        let others = (pieces.claimProbe(), pieces.claim())
        #expect(others == (nil, nil))
        let isKept = pieces.keepProbe()
        #expect(isKept)
        #expect(pieces[0]?.end == 18)
        let next = pieces.claim()
        #expect(next.flatMap { pieces[$0] }?.start == 28)
    }

    @Test func `what the first piece is writing is not given away`() throws {
        var pieces = BlobPieces(from: 0, to: 100, length: 10)
        _ = pieces.claimProbe()
        pieces.write(0, to: 11)
        let isKept = pieces.keepProbe()
        #expect(!isKept)
        #expect(pieces.isSingle)
        #expect(pieces[0]?.end == 100)
    }

    @Test func `near the end nobody is asked to help`() throws {
        var pieces = BlobPieces(from: 0, to: 100, length: 10)
        try take(80, of: 0, &pieces)
        let probe = pieces.claimProbe()
        #expect(probe == nil)
    }

    @Test func `what was given back is taken first, with what it has`() throws {
        var pieces = BlobPieces(from: 0, to: 100, length: 10)
        let asked = pieces.claimProbe()
        let probe = try #require(asked)
        _ = pieces.keepProbe()
        try take(4, of: probe, &pieces)
        #expect(pieces.aheadCount == 4)
        pieces.release(probe)
        #expect(pieces.hasRest)
        let taken = pieces.claim()
        #expect(taken == probe)
        #expect(pieces[probe]?.position == 14)
    }

    /// Pieces of random blobs, worked on in random order by as many as may be.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func `in whatever order the bytes come, each is taken once`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let byteCount = Int64.random(in: 1...500, using: &random)
        var pieces = BlobPieces(from: 0, to: byteCount, length: Int64.random(in: 1...60, using: &random))
        var counts = [Int](repeating: 0, count: Int(byteCount))
        var workers: [Int] = [0]
        while !pieces.isWhole {
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                if let id = pieces.claim() { workers.append(id) }
            case 1:
                if let id = pieces.claimProbe(), pieces.keepProbe() { workers.append(id) }
            case 2 where workers.count > 1:
                pieces.release(workers.remove(at: Int.random(in: 0..<workers.count, using: &random)))
            default:
                guard let id = workers.randomElement(using: &random), let piece = pieces[id] else { continue }
                let end = min(piece.position + Int64.random(in: 1...20, using: &random), piece.end)
                for place in piece.position..<end { counts[Int(place)] += 1 }
                pieces.write(id, to: end)
                pieces.advance(id, to: end)
                if end == piece.end { workers.removeAll { $0 == id } }
            }
            #expect(counts[..<Int(pieces.prefixEnd)].allSatisfy { $0 == 1 })
            #expect(Int(pieces.prefixEnd + pieces.aheadCount) == counts.reduce(0, +))
            if workers.isEmpty, let id = pieces.claim() { workers.append(id) }
        }
        #expect(counts.allSatisfy { $0 == 1 })
    }
}
