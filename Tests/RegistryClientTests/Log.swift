import Logging
import Synchronization
import TestSupport
import Testing

/// What was logged.
final class Log: LogHandler, Sendable {
    private let entries = Mutex<[(level: Logger.Level, text: String)]>([])

    /// The logger to pass.
    var logger: Logger { Logger(label: "test") { _ in self } }
    /// The warnings.
    var warnings: [String] { texts(.warning) }

    /// What was logged at a level.
    func texts(_ level: Logger.Level) -> [String] {
        entries.withLock { $0 }.filter { $0.level == level }.map(\.text)
    }

    // Everything is kept.
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let text = "\(event.message)"
        entries.withLock { $0.append((event.level, text)) }
        for secret in TestSecrets.found(in: Array(text.utf8)) { Issue.record("\(secret) is in the log: \(text)") }
    }
}
