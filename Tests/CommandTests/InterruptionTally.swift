import Foundation
import OCI
import TestSupport

/// What a killed run left of a bundle, as its bytes tell, and not its journal.
struct BundleRemains {
    /// Whether it has its name already.
    let isDone: Bool
    /// How many bytes of each blob that it is to hold are there, from its beginning, by digest.
    private(set) var byteCounts: [String: Int] = [:]

    init(of whole: [UInt8], in scratch: ScratchDirectory) throws {
        isDone = scratch.contains("bundle.tar")
        guard !isDone, scratch.contains("bundle.tar.partial") else { return }
        let right = Dictionary(TarBytes.entries(of: whole).map { ($0.path, $0.range) }) { first, _ in first }
        let partial = try scratch.read("bundle.tar.partial")
        for entry in TarBytes.entries(of: partial) {
            let parts = entry.path.split(separator: "/")
            guard parts.first == "blobs", parts.count == 3, let range = right[entry.path] else { continue }
            byteCounts["\(parts[1]):\(parts[2])"] = Self.commonCount(partial, entry.range, whole, range)
        }
    }

    /// How many bytes are the same before the first that is not.
    private static func commonCount(_ one: [UInt8], _ range: Range<Int>, _ other: [UInt8], _ otherRange: Range<Int>)
        -> Int
    {
        let block = 4096
        return one.withUnsafeBytes { one in
            other.withUnsafeBytes { other in
                var count = 0
                while count + block <= range.count, let first = one.baseAddress, let second = other.baseAddress,
                    memcmp(first + range.lowerBound + count, second + otherRange.lowerBound + count, block) == 0
                {
                    count += block
                }
                while count < range.count, one[range.lowerBound + count] == other[otherRange.lowerBound + count] {
                    count += 1
                }
                return count
            }
        }
    }
}

/// What the runs of a bundle asked a registry for, of which some were killed.
struct InterruptionTally {
    /// What a run writes before it notes it: 64 KiB that are noted together, and what comes in one piece.
    private static let unnotedByteCount = 128 << 10

    /// How many runs there were.
    private(set) var runCount = 0
    /// How many of them were killed.
    private(set) var killCount = 0
    /// How many of those while they filled the file.
    private(set) var middleCount = 0
    /// What should not have been.
    private(set) var problems: [String] = []
    /// Whether nothing has run for the present bundle.
    private(set) var isFirstRun = true

    private let images: InterruptedImages
    private let documents: Set<String>
    /// What is in the file, of blobs and of manifests.
    private var present: [String: Int] = [:]
    /// The blobs that each killed run asked for, and those of them that were asked for again.
    private var asked: [(blobs: Set<String>, again: Set<String>)] = []
    /// What each run of the present bundle was, for whoever has to find out what went wrong.
    private(set) var history: [String] = []
    private var presentByteCount = 0
    private var againByteCount = 0
    private var lostByteCount = 0

    init(_ images: InterruptedImages) {
        self.images = images
        documents = Set(images.documents.map(\.description))
    }

    /// Which of the next run's requests will be for blobs.
    var expectedMoves: Range<Int> {
        let sizes = images.blobs.map { ($0.key.description, Int($0.value.descriptor.size)) }
        let missingCount = sizes.count { name, size in present[name].map { $0 < size } ?? true }
        let before = present.isEmpty ? documents.count : images.all.count
        return before..<(before + missingCount)
    }

    /// Begins another bundle.
    mutating func begin() { (present, asked, history, isFirstRun) = ([:], [], [], true) }

    /// Takes a run.
    ///
    /// - Parameters:
    ///   - requests: what it asked for.
    ///   - remains: what it left; nil where it came to its end.
    ///   - isKilled: whether it was killed.
    mutating func take(_ requests: [FaultProxy.Exchange], _ remains: BundleRemains?, isKilled: Bool) {
        isFirstRun = false
        runCount += 1
        for request in requests where request.isOfManifest { takeManifest(request) }
        let blobs = requests.filter(\.isOfBlob)
        for blob in blobs { takeBlob(blob) }
        let names = Set(blobs.map(\.name))
        if names.count < blobs.count { problems.append("a blob was asked for twice in one run") }
        for index in asked.indices {
            asked[index].again.formUnion(asked[index].blobs.intersection(names))
            // Who has asked for one more has noted that another is whole.
            if asked[index].again.count > SlowSite.parallelism {
                problems.append("\(asked[index].again.count) blobs of run \(index) again")
            }
        }
        let there = remains.map { $0.isDone ? "done" : "\($0.byteCounts.values.reduce(0, +)) bytes there" } ?? "ended"
        history.append("\(requests.count) requests, \(names.count) blobs, \(isKilled ? "killed, " : "")\(there)")
        guard isKilled, let remains else { return }
        killCount += 1
        if !remains.isDone, !remains.byteCounts.isEmpty { middleCount += 1 }
        asked.append((names, []))
        present = remains.byteCounts
        presentByteCount += present.values.reduce(0, +)
        for blob in blobs {
            lostByteCount += max(0, blob.start + blob.answerByteCount - present[blob.name, default: 0])
        }
    }

    private mutating func takeManifest(_ request: FaultProxy.Exchange) {
        let repository = request.request.path.split(separator: "/").dropFirst().dropLast(2).joined(separator: "/")
        let digest = images.all["\(repository):\(request.name)"]?.digest.description ?? request.name
        if present[digest] != nil { problems.append("\(request.request.line): it is in the file") }
    }

    private mutating func takeBlob(_ request: FaultProxy.Exchange) {
        let again = present[request.name, default: 0] - request.start
        if !(0...Self.unnotedByteCount).contains(again) {
            problems.append("\(request) from \(request.start): \(present[request.name, default: 0]) bytes are there")
        }
        againByteCount += again
    }

    /// What came of it, in a line.
    var summary: String {
        "\(killCount) kills, \(middleCount) of them while the file was filled; of \(presentByteCount) bytes that were "
            + "there then \(againByteCount) were asked for again; \(lostByteCount) were sent and did not get there"
    }
}
