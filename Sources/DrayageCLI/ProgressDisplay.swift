import Drayage
import Synchronization

/// Shows on stderr how a job goes: on a terminal a picture that is drawn again, elsewhere plain lines.
final class ProgressDisplay: Sendable {
    /// How much is shown.
    enum Mode: Sendable {
        /// Nothing.
        case silent
        /// Plain lines.
        case lines
        /// A picture on a terminal, lines elsewhere.
        case suited
    }

    private let isLive: Bool
    private let isSilent: Bool
    private let output = OutputStream.standardError
    private let state = Mutex(ProgressState())

    init(mode: Mode) {
        isSilent = mode == .silent
        isLive = mode == .suited && output.isTerminal
    }

    /// Draws again and again until the task is cancelled.
    func run() async {
        guard !isSilent else { return }
        // A log of a long run wants a sign of life, not a film.
        let interval: Duration = isLive ? .milliseconds(100) : .seconds(10)
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: interval)
                tick()
            } catch {
                break
            }
        }
    }

    /// Takes an event.
    func take(_ event: ProgressEvent) {
        guard !isSilent else { return }
        let line = state.withLock { $0.take(event) }
        if let line { show(line: line) }
    }

    /// Takes the picture away.
    func end() {
        guard !isSilent else { return }
        state.withLock { state in
            state.hasEnded = true
            if isLive { output.write(state.erasure) }
        }
    }

    private func tick() {
        state.withLock { state in
            guard !state.hasEnded else { return }
            if isLive {
                output.write(state.erasure + state.draw(columns: output.columns ?? 80))
            } else if let line = state.statusLine {
                output.write(line + "\n")
            }
        }
    }

    private func show(line: String) {
        state.withLock { state in
            guard !state.hasEnded else { return }
            output.write((isLive ? state.erasure : "") + line.printable + "\n")
        }
    }
}
