import Drayage

/// What is known of a job that runs, and how it looks.
struct ProgressState {
    private struct Flight {
        let byteCount: Int64
        var done: Int64 = 0
    }

    /// The most blobs that get a line of their own.
    private static let flightLineLimit = 6

    private static let awaitingApproval = "awaiting approval"

    var hasEnded = false
    /// Whether a person is being asked something, whose question a picture would overwrite.
    var isAwaitingApproval: Bool { phase == Self.awaitingApproval }
    private var phase = "working"
    private var resolvingCount = 0
    private var resolvedCount = 0
    private var removingCount = 0
    private var removedCount = 0
    private var plannedByteCount: Int64 = 0
    private var plannedBlobCount = 0
    private var continuedByteCount: Int64 = 0
    private var finishedByteCount: Int64 = 0
    private var finishedBlobCount = 0
    private var flights: [Digest: Flight] = [:]
    private var start: ContinuousClock.Instant?
    private var drawnLineCount = 0
    private var lastRetryLine: ContinuousClock.Instant?

    /// Takes an event.
    ///
    /// - Returns: a line that is worth keeping, nil where there is none.
    mutating func take(_ event: ProgressEvent) -> String? {
        switch event {
        case .resolving(let count):
            phase = "looking up"
            (resolvingCount, resolvedCount) = (count, 0)
        case .resolved:
            resolvedCount += 1
        case .unpacking(let path, let byteCount):
            phase = "unpacking \(path.printable)"
            return "unpacking \(path.printable), which takes \(ByteText.size(byteCount)) until the end"
        case .planned(let blobCount, let byteCount):
            phase = "moving"
            (plannedBlobCount, plannedByteCount) = (blobCount, byteCount)
            // What was planned before, as the verification before a repair, is done.
            (finishedBlobCount, finishedByteCount, flights) = (0, 0, [:])
            start = .now
            guard blobCount > 0 else { return nil }
            let missing = ByteText.size(byteCount - continuedByteCount)
            return "\(blobCount) blob\(blobCount == 1 ? "" : "s"), \(missing) to go"
        case .carryingOver(let byteCount):
            phase = "carrying over \(ByteText.size(byteCount)) of an interrupted bundle"
        case .continuing(let byteCount):
            continuedByteCount = byteCount
            return "going on with an interrupted bundle, of which \(ByteText.size(byteCount)) is there"
        case .kept(let path):
            return "what has been fetched is kept in \(path); the same command goes on from there"
        case .blobStarted(let digest, let byteCount):
            flights[digest] = Flight(byteCount: byteCount)
        case .blobAdvanced(let digest, let byteCount):
            flights[digest]?.done += byteCount
        case .blobFinished(let digest):
            finishedByteCount += flights.removeValue(forKey: digest)?.byteCount ?? 0
            finishedBlobCount += 1
        case .blobFailed(let digest):
            flights[digest] = nil
        case .imageFinished, .imageFailed:
            break
        case .retrying(let message, let wait):
            return retryLine(message, wait)
        case .awaitingApproval:
            phase = Self.awaitingApproval
        case .removing(let count):
            phase = "removing"
            (removingCount, removedCount) = (count, 0)
        case .removed:
            removedCount += 1
        case .sealing:
            phase = "sealing"
        }
        return nil
    }

    /// A line about a request that is tried again: of those that fail together one is enough.
    private mutating func retryLine(_ message: String, _ wait: Duration) -> String? {
        let now = ContinuousClock.now
        if let lastRetryLine, now - lastRetryLine < .seconds(1) { return nil }
        lastRetryLine = now
        return "\(message); trying again in \(duration(max(1, wait / .seconds(1))))"
    }

    /// What takes the last picture off the terminal.
    var erasure: String {
        mutating get {
            defer { drawnLineCount = 0 }
            return drawnLineCount == 0 ? "" : "\r\u{1b}[\(drawnLineCount)A\u{1b}[J"
        }
    }

    /// The picture: the whole, then what is in flight.
    mutating func draw(columns: Int) -> String {
        var lines = [statusLine ?? phase]
        if plannedByteCount > 0, phase == "moving" {
            lines[0] = bar(movedByteCount, of: plannedByteCount, width: 24) + " " + lines[0]
        }
        let shown = flights.sorted { ($1.value.byteCount, $0.key) < ($0.value.byteCount, $1.key) }
        for (digest, flight) in shown.prefix(Self.flightLineLimit) {
            let name = "\(digest.algorithm.rawValue):\(digest.hex.prefix(12))"
            let sizes = "\(ByteText.size(flight.done)) of \(ByteText.size(flight.byteCount))"
            lines.append("  \(name) \(bar(flight.done, of: flight.byteCount, width: 16)) \(sizes)")
        }
        if shown.count > Self.flightLineLimit { lines.append("  and \(shown.count - Self.flightLineLimit) more") }
        drawnLineCount = lines.count
        return lines.map { String($0.prefix(columns - 1)) + "\n" }.joined()
    }

    /// One line that says it all, nil where there is nothing to say yet.
    var statusLine: String? {
        switch phase {
        case "looking up":
            guard resolvingCount > 0 else { return "looking up \(resolvedCount)" }
            return "looking up " + (resolvedCount > 0 ? "\(resolvedCount) of " : "") + "\(resolvingCount)"
        case "moving":
            let done = "\(ByteText.size(movedByteCount)) of \(ByteText.size(plannedByteCount))"
            return "\(percent) \(done), \(finishedBlobCount) of \(plannedBlobCount) blobs\(rate)"
        case "removing":
            return "removing \(min(removedCount, removingCount)) of \(removingCount)"
        default:
            return phase
        }
    }

    private var movedByteCount: Int64 { flights.values.reduce(finishedByteCount) { $0 + $1.done } }

    private var percent: String {
        let share = plannedByteCount > 0 ? movedByteCount * 100 / plannedByteCount : 100
        return "\(min(share, 100))%"
    }

    private var rate: String {
        guard let start else { return "" }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let newByteCount = movedByteCount - continuedByteCount
        guard seconds >= 1, newByteCount > 0 else { return "" }
        let rate = Double(newByteCount) / seconds
        let left = Double(max(0, plannedByteCount - movedByteCount)) / rate
        return ", \(ByteText.size(Int64(rate)))/s, \(duration(left)) left"
    }

    private func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private func bar(_ done: Int64, of total: Int64, width: Int) -> String {
        let filled = total > 0 ? Int(Double(min(done, total)) / Double(total) * Double(width)) : width
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]"
    }
}
