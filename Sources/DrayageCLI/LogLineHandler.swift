import FoundationEssentials
import Logging
import OCI

/// Says warnings as a command says everything to its user.
struct WarningHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        // Over the line that shows how far a command is, which is written anew.
        if OutputStream.standardError.isTerminal { OutputStream.standardError.write("\r\u{1b}[K") }
        Message.note("warning: \(event.message)")
    }
}

/// Writes a server's log to stderr: a line an entry, `key=value` each, in an order that can be read.
struct LogLineHandler: LogHandler {
    private static let order = ["remote", "user", "method", "path", "status", "bytes", "milliseconds"]

    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values = metadata.merging(event.metadata ?? [:]) { _, new in new }
        var line = "time=\(Date.now.formatted(.iso8601)) level=\(event.level) event=\(Self.quoted("\(event.message)"))"
        for key in Self.order {
            if let value = values.removeValue(forKey: key) { line += " \(key)=\(Self.quoted("\(value)"))" }
        }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.quoted("\(value)"))" }
        OutputStream.standardError.write(line + "\n")
    }

    /// A value as it is, in quotes where it has more than plain characters.
    private static func quoted(_ value: String) -> String {
        let isPlain = value.unicodeScalars.allSatisfy { $0.value > 32 && !"\"=\\".unicodeScalars.contains($0) }
        guard !isPlain || value.isEmpty || value.printable != value else { return value }
        let escaped = value.reduce(into: "") { result, character in
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return "\"\(escaped.printable)\""
    }
}
