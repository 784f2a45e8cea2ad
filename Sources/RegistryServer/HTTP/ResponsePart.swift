import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import RegistryDirectory

/// What a connection is given to send.
enum ResponsePart: Sendable {
    case head(HTTPResponseHead)
    case bytes(ByteBuffer)
    /// Part of a file, by `sendfile`: not for a connection with TLS, which has to see the bytes.
    case file(OpenBlob, Range<Int64>)
    case end
}

/// A blob's file ended before the blob did.
struct ShortenedFile: Error, CustomStringConvertible {
    let offset: Int64
    var description: String { "the file of a blob ends at byte \(offset), before the blob does" }
}

/// Turns ``ResponsePart``s into those of the HTTP encoder, a file piece by piece: the next when the last has left.
///
/// It works on the event loop, so that a download costs no thread more than the kernel's own copy.
final class ResponsePartHandler: ChannelOutboundHandler {
    typealias OutboundIn = ResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// One piece in flight: small enough that a slow link moves it within the idle time-out.
    static let pieceByteCount: Int64 = 512 << 10

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch Self.unwrapOutboundIn(data) {
        case .head(let head): context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
        case .bytes(let bytes): context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end: context.write(Self.wrapOutboundOut(.end(nil)), promise: promise)
        case .file(let blob, let range):
            let transfer = FileTransfer(blob: blob, range: range, context: context, promise: promise)
            transfer.sendNext(at: range.lowerBound)
        }
    }
}

/// A range of a file on its way, on the event loop of its connection.
private final class FileTransfer {
    private let blob: OpenBlob
    private let range: Range<Int64>
    private let context: ChannelHandlerContext
    private let promise: EventLoopPromise<Void>?
    private let handle: NIOFileHandle

    init(blob: OpenBlob, range: Range<Int64>, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        self.blob = blob
        self.range = range
        self.context = context
        self.promise = promise
        // NIO opens no handle on a descriptor that stays another's: this one is given back at the end, before NIO would
        // close it or complain that nobody did.
        handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: blob.descriptor)
    }

    func sendNext(at position: Int64) {
        guard position < range.upperBound else { return end(.success(())) }
        let length = min(ResponsePartHandler.pieceByteCount, range.upperBound - position)
        let start = blob.offset + position
        // At the end of a file `sendfile` sends nothing and says nothing, and would be called for ever.
        var status = stat()
        guard unsafe fstat(blob.descriptor, &status) == 0, Int64(status.st_size) >= start + length else {
            return end(.failure(ShortenedFile(offset: Int64(status.st_size))))
        }
        let region = FileRegion(fileHandle: handle, readerIndex: Int(start), endIndex: Int(start + length))
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(
            ResponsePartHandler.wrapOutboundOut(.body(.fileRegion(region))),
            promise: written
        )
        written.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.sendNext(at: position + length)
            case .failure(let error): self.end(.failure(error))
            }
        }
    }

    private func end(_ result: Result<Void, any Error>) {
        // The descriptor is the blob's, who closes it.
        _ = try? handle.takeDescriptorOwnership()
        promise?.completeWith(result)
    }
}
