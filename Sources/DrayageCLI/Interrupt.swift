import Dispatch
import Glibc

/// Ends an operation cleanly when the user or the system asks for it.
enum Interrupt {
    /// Runs an operation; SIGINT, SIGTERM and SIGHUP cancel it.
    ///
    /// A second signal ends the process at once.
    static func cancelling<Result: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await operation() }
        let sources = sources { _ in task.cancel() }
        defer {
            for source in sources { source.cancel() }
        }
        do {
            return try await task.value
        } catch {
            // Whatever came of it, it came of the interruption.
            throw task.isCancelled ? CancellationError() : error
        }
    }

    /// Waits until the user or the system asks for an end, or the task is cancelled.
    ///
    /// A second signal ends the process at once.
    static func first() async {
        let (signals, arrived) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingOldest(1))
        let sources = sources { arrived.yield($0) }
        for await _ in signals { break }
        for source in sources { source.cancel() }
    }

    /// Watches for the signals that ask for an end; after the first one any other ends the process.
    private static func sources(_ handler: @escaping @Sendable (Int32) -> Void) -> [any DispatchSourceSignal] {
        // What was ignored when the process began, as nohup does with SIGHUP, stays ignored.
        let watched = [SIGINT, SIGTERM, SIGHUP].filter { !wasIgnored(signal($0, SIG_IGN)) }
        return watched.map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                for number in watched { signal(number, SIG_DFL) }
                handler(number)
            }
            source.resume()
            return source
        }
    }

    private static func wasIgnored(_ handler: sighandler_t?) -> Bool {
        unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
