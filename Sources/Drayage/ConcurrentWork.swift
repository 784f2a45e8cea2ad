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
    try await withThrowingTaskGroup(of: [Item].self) { group in
        var queue = Array(items)
        var next = 0
        var running = 0
        while next < queue.count || running > 0 {
            while next < queue.count, running < max(1, limit) {
                let item = queue[next]
                next += 1
                running += 1
                group.addTask { try await work(item) }
            }
            if let more = try await group.next() {
                running -= 1
                queue += more
            }
        }
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
/// The lanes run side by side; the requests in flight to one host are limited by the client.
func forEachBlobConcurrently<Item: Sendable>(
    _ items: [Item],
    parallelism: Int,
    byteCount: (Item) -> Int64,
    _ work: @escaping @Sendable (Item) async throws -> [Item]
) async throws {
    let largest = items.sorted { byteCount($0) > byteCount($1) }
    let split = largest.firstIndex { byteCount($0) <= BlobLane.largeBlobByteCount } ?? largest.endIndex
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
    /// Beyond this a blob counts as large.
    static let largeBlobByteCount: Int64 = 64 << 20
    /// The most large blobs that are moved at once.
    static let largeBlobLimit = 8
}
