import Foundation
import OCI
import RegistryClient
import Synchronization
import TestSupport

/// A place in memory for a blob that comes in any order; it remembers what it was given.
final class RangedPlace: Sendable {
    private struct State {
        var bytes: [UInt8]
        var present = RangeSet<Int>()
        var writtenCount = 0
        var rewrittenCount = 0
        var notes: [Int64] = []
        var notesWereTrue = true
        var restarts: [Int64] = []
        var lost: Int64 = 0
        var readCount = 0
    }

    private let state: Mutex<State>

    init(byteCount: Int) { state = Mutex(State(bytes: Array(repeating: 0, count: byteCount))) }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    /// The bytes that were given, those twice that were given twice.
    var writtenCount: Int { state.withLock { $0.writtenCount } }
    /// The bytes that were there already when they were given.
    var rewrittenCount: Int { state.withLock { $0.rewrittenCount } }
    var notes: [Int64] { state.withLock { $0.notes } }
    /// Whether each beginning that was noted was there.
    var notesWereTrue: Bool { state.withLock { $0.notesWereTrue } }
    var restarts: [Int64] { state.withLock { $0.restarts } }
    var lost: Int64 { state.withLock { $0.lost } }
    /// The bytes that were read again to be digested.
    var readCount: Int { state.withLock { $0.readCount } }

    /// Puts the beginning there, as an earlier run would have.
    func fill(_ prefix: some Collection<UInt8>) {
        state.withLock { state in
            state.bytes.replaceSubrange(0..<prefix.count, with: prefix)
            state.present.insert(contentsOf: 0..<prefix.count)
        }
    }

    /// The place as a client takes it.
    var place: BlobPlace {
        var place = BlobPlace { bytes, offset in self.write(bytes, at: Int(offset)) }
        place.read = { range, hasher in
            self.state.withLock { state in
                state.readCount += range.count
                state.bytes[Int(range.lowerBound)..<Int(range.upperBound)].withUnsafeBytes { hasher.update($0) }
            }
        }
        place.note = { count in
            self.state.withLock { state in
                state.notes.append(count)
                if !RangeSet(0..<Int(count)).isSubset(of: state.present) { state.notesWereTrue = false }
            }
        }
        place.restarting = { count in self.state.withLock { $0.restarts.append(count) } }
        place.lost = { count in self.state.withLock { $0.lost += count } }
        return place
    }

    private func write(_ bytes: RawSpan, at offset: Int) {
        state.withLock { state in
            let range = offset..<(offset + bytes.byteCount)
            state.writtenCount += range.count
            let known = state.present.intersection(RangeSet(range))
            state.rewrittenCount += known.ranges.reduce(0) { $0 + $1.count }
            bytes.withUnsafeBytes { state.bytes.replaceSubrange(range, with: $0) }
            state.present.insert(contentsOf: range)
        }
    }
}

extension RangePolicy {
    /// For small blobs: from 1 MiB on they are fetched in pieces of 64 KiB, whatever a connection brings.
    static var forTests: RangePolicy {
        var policy = RangePolicy()
        policy.blobByteCount = 1 << 20
        policy.pieceByteCount = 64 << 10
        policy.fullRate = .infinity
        policy.interval = .milliseconds(5)
        return policy
    }
}

extension FaultProxy.Fault {
    /// A connection that brings about 400 KB in a second.
    static let slow = dripping(byteCount: 4 << 10, every: .milliseconds(10))
}

extension FaultProxy {
    /// The ranges that were asked for; nil for the whole.
    var ranges: [String?] { exchanges.filter { $0.request.method == "GET" }.map { $0.request.header("Range") } }
}

/// Counts the requests for pieces, and holds the first request back until there have been enough: whatever the load of
/// the machine is, help has come by then.
final class HelpCount: Sendable {
    private let count = NSCondition()
    private let number = Mutex(0)

    /// Decides on a request as a ``FaultProxy/Script`` does.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - helpCount: how many requests for pieces the first request waits for.
    ///   - piece: decides on a request for a piece, which is told its number, from 1.
    /// - Returns: what is done to the request.
    func decide(
        _ request: Request,
        waitingFor helpCount: Int,
        piece: (_ number: Int) -> FaultProxy.Fault? = { _ in nil }
    ) -> FaultProxy.Fault? {
        guard request.method == "GET", request.path.contains("/blobs/") else { return nil }
        if let range = request.header("Range"), !range.hasSuffix("-") {
            let number = number.withLock { number in
                number += 1
                return number
            }
            count.withLock { count.broadcast() }
            return piece(number)
        }
        let end = Date(timeIntervalSinceNow: 30)
        count.withLock {
            while number.withLock({ $0 }) < helpCount, count.wait(until: end) {}
        }
        return nil
    }
}
