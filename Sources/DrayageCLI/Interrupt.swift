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
        let sources = [SIGINT, SIGTERM, SIGHUP].compactMap { number -> (any DispatchSourceSignal)? in
            // What was ignored when the process began, as nohup does with SIGHUP, stays ignored.
            guard !wasIgnored(signal(number, SIG_IGN)) else { return nil }
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                signal(number, SIG_DFL)
                task.cancel()
            }
            source.resume()
            return source
        }
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

    private static func wasIgnored(_ handler: sighandler_t?) -> Bool {
        unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
