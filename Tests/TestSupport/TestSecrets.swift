import Foundation
import Synchronization

/// The secrets that tests have made: nothing else looks like one, and whatever `drayage` says is searched for all of them.
package enum TestSecrets {
    private struct State {
        var secrets: Set<String> = []
        var onLeak: @Sendable (String) -> Void = { fatalError($0) }
    }

    private static let state = Mutex(State())

    /// Makes a secret and remembers it; it ends with what is given, where a test is about single characters.
    package static func make(_ name: String = "secret", ending: String = "") -> String {
        let secret = name + "-" + String(UInt64.random(in: 1 << 63 ... .max), radix: 36) + ending
        remember(secret)
        return secret
    }

    /// Makes a password for a user, and remembers what a header makes of both as well.
    package static func user(_ name: String, ending: String = "") -> (name: String, password: String) {
        let password = make("password", ending: ending)
        remember(Data("\(name):\(password)".utf8).base64EncodedString())
        return (name, password)
    }

    /// Remembers a secret that a test has made by itself; it must be like nothing that might be printed.
    package static func remember(_ secret: String) { state.withLock { _ = $0.secrets.insert(secret) } }

    /// Says what is done where a secret was given away; a test target makes a failure of it.
    package static func onLeak(_ handler: @escaping @Sendable (String) -> Void) {
        state.withLock { $0.onLeak = handler }
    }

    /// The secrets known by now that some bytes hold.
    package static func found(in bytes: [UInt8]) -> [String] {
        let text = String(decoding: bytes, as: UTF8.self)
        return state.withLock { $0.secrets }.filter { text.contains($0) }.sorted()
    }

    /// Searches all that a run of `drayage` has said: stdout, stderr, its report and its arguments, but for those that
    /// are there to hold one.
    static func check(_ command: Command, _ outcome: Outcome) {
        guard command.tool.hasSuffix("/drayage") else { return }
        var places = [("stdout", outcome.output), ("stderr", outcome.errors)]
        for (option, value) in zip([""] + command.arguments, command.arguments) {
            if option != "--header" { places.append(("its arguments", Array(value.utf8))) }
            guard option == "--report" else { continue }
            let path = value.hasPrefix("/") ? value : (command.directory.map { $0 + "/" } ?? "") + value
            if let report = FileManager.default.contents(atPath: path) { places.append(("its report", Array(report))) }
        }
        for (place, bytes) in places {
            for secret in found(in: bytes) {
                let line = ([command.tool] + command.arguments).joined(separator: " ")
                state.withLock { $0.onLeak }("\(line) has given \(secret) away in \(place)")
            }
        }
    }
}
