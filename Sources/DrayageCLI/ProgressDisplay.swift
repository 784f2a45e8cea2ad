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
    private let writing = Mutex(())

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
        if case .awaitingApproval = event { return show { self.isLive ? $0.erasure : "" } }
        guard let line else { return }
        show { state in (self.isLive ? state.erasure : "") + line.printable + "\n" }
    }

    /// Takes the picture away.
    func end() {
        guard !isSilent else { return }
        show { state in
            state.hasEnded = true
            return self.isLive ? state.erasure : ""
        }
    }

    private func tick() {
        show { state in
            guard !state.isAwaitingApproval else { return "" }
            guard self.isLive else { return state.statusLine.map { $0 + "\n" } ?? "" }
            return state.erasure + state.draw(columns: self.output.columns ?? 80)
        }
    }

    /// Writes what `draw` makes of the state.
    ///
    /// A terminal can be stopped. So the state is free while the text is written, and only who wants to write waits:
    /// the threads that count bytes do not.
    private func show(_ draw: @Sendable (inout ProgressState) -> String) {
        writing.withLock { _ in
            let text = state.withLock { $0.hasEnded ? "" : draw(&$0) }
            if !text.isEmpty { output.write(text) }
        }
    }
}
