import Dispatch
import Glibc
import Synchronization

/// Ends an operation cleanly when the user or the system asks for it.
enum Interrupt {
    /// Runs an operation; SIGINT, SIGTERM and SIGHUP cancel it.
    ///
    /// A second signal ends the process at once.
    static func cancelling<Result: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await operation() }
        let sources = await watch { task.cancel() }
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

    /// Runs an operation that can wait until the user or the system asks for an end.
    ///
    /// The signals are watched before it begins, so that none is missed. A second signal ends the process at once.
    static func awaiting<Result>(
        _ operation: (_ first: @escaping @Sendable () async -> Void) async throws -> Result
    ) async rethrows -> Result {
        let (signals, arrived) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        let sources = await watch { arrived.yield() }
        defer {
            for source in sources { source.cancel() }
        }
        return try await operation {
            for await _ in signals { break }
        }
    }

    /// Watches for the signals that ask for an end; after the first one any other ends the process.
    ///
    /// It returns when they are really watched: until then they end the process, as they do by nature.
    private static func watch(_ handler: @escaping @Sendable () -> Void) async -> [any DispatchSourceSignal] {
        // What was ignored when the process began, as nohup does with SIGHUP, stays ignored.
        let watched = [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) }
        let count = Mutex(0)
        var sources: [any DispatchSourceSignal] = []
        for number in watched {
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                // Dispatch goes on catching what it has caught once, also where it is told to let go.
                let isFirst = count.withLock { count in
                    count += 1
                    return count == 1
                }
                guard isFirst else { _exit(128 + number) }
                for number in watched { signal(number, SIG_DFL) }
                handler()
            }
            await withCheckedContinuation { continuation in
                source.setRegistrationHandler { continuation.resume() }
                source.resume()
            }
            sources.append(source)
        }
        return sources
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        let handler = unsafe action.__sigaction_handler.sa_handler
        return unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
