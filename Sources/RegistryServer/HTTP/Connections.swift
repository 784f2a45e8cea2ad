import NIOCore
import Synchronization

/// The open connections of a server: how many there are, which ones are idle, and how all of them end.
final class Connections: Sendable {
    private struct Entry {
        let channel: any Channel
        let isOverLimit: Bool
        var isBusy = false
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var nextID = 0
        var isClosing = false
    }

    /// Connections beyond the limit are told so; this many of them, and the rest are closed without a word.
    private static let refusalLimit = 256

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Whether the server takes no more requests.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Takes a connection in; nil where it is to be closed at once.
    func add(_ channel: any Channel) -> Int? {
        state.withLock { state in
            guard !state.isClosing, state.entries.count < limit + Self.refusalLimit else { return nil }
            let id = state.nextID
            state.nextID += 1
            state.entries[id] = Entry(channel: channel, isOverLimit: state.entries.count >= limit)
            return id
        }
    }

    func remove(_ id: Int) { state.withLock { _ = $0.entries.removeValue(forKey: id) } }

    /// Whether this connection is one too many.
    func isOverLimit(_ id: Int) -> Bool { state.withLock { $0.entries[id]?.isOverLimit ?? false } }

    /// Notes that a request has begun, which a closing server still answers; false where it began too late.
    func beginRequest(_ id: Int) -> Bool {
        state.withLock { state in
            guard !state.isClosing else { return false }
            state.entries[id]?.isBusy = true
            return true
        }
    }

    /// Notes that a request has been answered; false where the server takes no more.
    func endRequest(_ id: Int) -> Bool {
        state.withLock { state in
            state.entries[id]?.isBusy = false
            return !state.isClosing
        }
    }

    /// Takes no more requests and closes the connections that are idle; the others end with their answer.
    func beginClosing() {
        let idle = state.withLock { state in
            state.isClosing = true
            return state.entries.values.filter { !$0.isBusy }.map(\.channel)
        }
        for channel in idle { channel.close(promise: nil) }
    }

    /// Closes every connection, whatever it is doing.
    func closeAll() {
        let all = state.withLock { state in
            state.isClosing = true
            return state.entries.values.map(\.channel)
        }
        for channel in all { channel.close(promise: nil) }
    }
}
