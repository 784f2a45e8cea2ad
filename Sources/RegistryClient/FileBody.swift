import AsyncHTTPClient
import Glibc
import NIOCore
import Synchronization

/// The body of an upload, taken from a range of a file piece by piece: the next piece when the last has been written.
struct FileBody: Sendable {
    /// The file ended before the range did, or cannot be read.
    struct ReadError: Error, CustomStringConvertible {
        let offset: Int64
        let code: Int32

        var description: String {
            let cause = code == 0 ? "it ends there" : unsafe String(cString: strerror(code))
            return "reading the file at byte \(offset): \(cause)"
        }
    }

    let range: FileRange
    /// The file for `sendfile`, which moves the bytes without a copy; nil where TLS has to see them.
    let handle: NIOFileHandle?
    /// How long a piece may take: the connection's own write time-out rests while the peer takes nothing.
    let pieceTimeout: TimeAmount
    /// Says when a piece has been written.
    let turns: WriteTurns
    /// Hears how many bytes have been written so far.
    let sent: @Sendable (Int64) -> Void

    /// One piece in flight: small enough that a slow link moves it within the idle time-out.
    private var pieceLength: Int64 { handle != nil ? 1 << 20 : 256 << 10 }

    /// Opens the file once more for `sendfile`: one handle refuses to be used by two connections at once.
    ///
    /// It is in use until the request has ended: a piece counts as written before it has left.
    static func handle(for range: FileRange) throws(ReadError) -> NIOFileHandle {
        let copy = dup(range.descriptor)
        guard copy >= 0 else { throw ReadError(offset: range.offset, code: errno) }
        return NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: copy)
    }

    /// Sends the whole range.
    func send(through writer: HTTPClient.Body.StreamWriter, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let done = loop.makePromise(of: Void.self)
        sendNext(0, through: writer, on: loop, done: done)
        return done.futureResult
    }

    private func sendNext(
        _ position: Int64,
        through writer: HTTPClient.Body.StreamWriter,
        on loop: any EventLoop,
        done: EventLoopPromise<Void>
    ) {
        guard position < range.byteCount else { return done.succeed() }
        let length = min(pieceLength, range.byteCount - position)
        do {
            let data = try piece(range.offset + position, length)
            let timer = loop.scheduleTask(in: pieceTimeout) { done.fail(HTTPClientError.writeTimeout) }
            turns.wait { result in
                timer.cancel()
                switch result {
                case .success:
                    sent(position + length)
                    // The connection is still at it, and would be told of two full buffers without an empty one between.
                    loop.execute { sendNext(position + length, through: writer, on: loop, done: done) }
                case .failure(let error):
                    done.fail(error)
                }
            }
            // Its success says no more than that more is taken. A connection that has a refusal by now takes it, drops it,
            // and would fail for want of it at the end, before the rest of the refusal has come.
            writer.write(data).whenFailure { turns.end($0) }
        } catch {
            done.fail(error)
        }
    }

    private func piece(_ offset: Int64, _ length: Int64) throws -> IOData {
        guard let handle else { return .byteBuffer(try read(offset, length)) }
        // At the end of a file `sendfile` sends nothing and says nothing, and would be called for ever.
        var status = stat()
        guard unsafe fstat(range.descriptor, &status) == 0 else { throw ReadError(offset: offset, code: errno) }
        let end = Int64(status.st_size)
        guard end >= offset + length else { throw ReadError(offset: max(offset, end), code: 0) }
        return .fileRegion(
            FileRegion(fileHandle: handle, readerIndex: Int(offset), endIndex: Int(offset + length))
        )
    }

    private func read(_ offset: Int64, _ length: Int64) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: Int(length))
        while buffer.readableBytes < Int(length) {
            let missing = Int(length) - buffer.readableBytes
            let position = offset + Int64(buffer.readableBytes)
            let count = try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { bytes in
                let count = unsafe pread(range.descriptor, bytes.baseAddress, missing, Int(position))
                guard count >= 0 else { throw ReadError(offset: position, code: errno) }
                return count
            }
            guard count > 0 else { throw ReadError(offset: position, code: 0) }
        }
        return buffer
    }
}

/// Tells the body of a request that what it has given last has been written, so that the next may follow.
final class WriteTurns: Sendable {
    private let waiting = Mutex<(@Sendable (Result<Void, any Error>) -> Void)?>(nil)

    /// Calls once, when what is written next has been written, or never will be.
    func wait(_ next: @escaping @Sendable (Result<Void, any Error>) -> Void) { waiting.withLock { $0 = next } }

    /// What was given has been written.
    func goOn() { take()?(.success(())) }

    /// Nothing more is written.
    func end(_ error: any Error) { take()?(.failure(error)) }

    private func take() -> (@Sendable (Result<Void, any Error>) -> Void)? {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
    }
}
