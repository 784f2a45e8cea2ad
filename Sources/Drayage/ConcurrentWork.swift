import Synchronization

/// Works on items, at most `limit` at a time.
///
/// Working on one may bring up more, which are taken in turn.
///
/// The first error cancels what is under way, is waited for and is thrown.
///
/// - Parameters:
///   - items: what to begin with.
///   - limit: the most items that are worked on at once.
///   - work: returns the items that are to be worked on because of this one.
/// - Throws: the first error of `work`.
func forEachConcurrently<Item: Sendable>(
    _ items: some Sequence<Item>,
    limit: Int,
    _ work: @escaping @Sendable (Item) async throws -> [Item]
) async throws {
    let queue = WorkQueue(items)
    try await withThrowingTaskGroup(of: Void.self) { group in
        var running = 0
        repeat {
            for _ in 0..<min(queue.count, max(1, limit) - running) {
                running += 1
                group.addTask {
                    do {
                        while let item = queue.next() {
                            try Task.checkCancellation()
                            // What is for others as well is given to them by who waits for this one.
                            if queue.add(try await work(item)) > 1 { break }
                        }
                    } catch {
                        queue.close()
                        throw error
                    }
                }
            }
            if running > 0 {
                try await group.next()
                running -= 1
            }
        } while running > 0 || queue.count > 0
    }
}

/// What is still to be worked on: a task takes one after the other, as a task for each would take longer than small work.
private final class WorkQueue<Item: Sendable>: Sendable {
    private let state: Mutex<(items: [Item], next: Int)>

    init(_ items: some Sequence<Item>) { state = Mutex((Array(items), 0)) }

    /// How many are waiting.
    var count: Int { state.withLock { $0.items.count - $0.next } }

    /// Takes the next; nil where there is none.
    func next() -> Item? {
        state.withLock { state in
            guard state.next < state.items.count else { return nil }
            state.next += 1
            return state.items[state.next - 1]
        }
    }

    /// Drops what is waiting, so that nobody begins more before the error is heard of.
    func close() { state.withLock { $0.next = $0.items.count } }

    /// Adds some at the end, and tells how many they were.
    func add(_ items: [Item]) -> Int {
        state.withLock { $0.items += items }
        return items.count
    }
}

/// Does something every so often while work is done; the first error of either ends both.
func repeating(
    every interval: Duration,
    _ step: @escaping @Sendable () async throws -> Void,
    during work: @escaping @Sendable () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await work() }
        group.addTask {
            while true {
                try await Task.sleep(for: interval)
                try await step()
            }
        }
        try await group.next()
        group.cancelAll()
    }
}

/// Transforms items, at most `limit` at a time; the results come in no order.
func collectConcurrently<Item: Sendable, Result: Sendable>(
    _ items: some Sequence<Item>,
    limit: Int,
    _ transform: @escaping @Sendable (Item) async throws -> Result
) async throws -> [Result] {
    let results = Mutex<[Result]>([])
    try await forEachConcurrently(items, limit: limit) { item in
        let result = try await transform(item)
        results.withLock { $0.append(result) }
        return []
    }
    return results.withLock { $0 }
}

/// Moves blobs: large ones in a lane of their own, so that they neither fill all connections nor come last and alone.
///
/// The largest come first; small ones, of which none takes long, in the order that is given: if it is that of a file, the
/// disk gets them together.
///
/// The lanes run side by side; the requests in flight to one host are limited by the client.
func forEachBlobConcurrently<Item: Sendable>(
    _ items: [Item],
    parallelism: Int,
    byteCount: (Item) -> Int64,
    _ work: @escaping @Sendable (Item) async throws -> [Item]
) async throws {
    func weight(_ item: Item) -> Int64 { max(byteCount(item), BlobLane.smallBlobByteCount) }
    let largest = items.sorted { weight($0) > weight($1) }
    let split = largest.firstIndex { weight($0) <= BlobLane.largeBlobByteCount } ?? largest.endIndex
    let lanes = [
        (items: largest[..<split], limit: min(BlobLane.largeBlobLimit, parallelism)),
        (items: largest[split...], limit: parallelism),
    ]
    try await forEachConcurrently(lanes, limit: lanes.count) { lane in
        try await forEachConcurrently(lane.items, limit: lane.limit, work)
        return []
    }
}

/// How blobs share the connections.
enum BlobLane {
    /// Up to this a blob counts as small.
    static let smallBlobByteCount: Int64 = 64 << 10
    /// Beyond this a blob counts as large.
    static let largeBlobByteCount: Int64 = 64 << 20
    /// The most large blobs that are moved at once.
    static let largeBlobLimit = 8
}
