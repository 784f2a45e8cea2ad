import NIOCore
import OCI
import Synchronization

/// A blob that goes from one registry to another, over as many requests as it takes.
final class BlobRelay: Sendable {
    private struct State {
        var verifier: BlobVerifier
        /// Whether all of it was right once; what is sent again is held against its digest by who gets it.
        var isVerified = false
        /// The request under way.
        var forward: BlobForward?
    }

    let blob: Descriptor
    /// The registry that gets it.
    let target: String
    private let state: Mutex<State>

    init(_ blob: Descriptor, to target: String) {
        self.blob = blob
        self.target = target
        state = Mutex(State(verifier: BlobVerifier(blob, context: Self.context(blob))))
    }

    /// Ends what was under way: its request is sent again, or has ended.
    func replace(by forward: BlobForward?) {
        let old = state.withLock { state in
            defer { state.forward = forward }
            return state.forward
        }
        old?.end(BlobForward.Ended())
    }

    /// Holds bytes against the blob, as far as they follow what was; what was sent before is passed over.
    ///
    /// - Throws: ``RegistryError`` where they are too many, or the last, and the digest is wrong.
    func verify(_ buffer: ByteBuffer, at start: Int64, _ context: RequestContext) throws {
        let end = start + Int64(buffer.readableBytes)
        guard end <= blob.size else { throw RegistryError(.sizeMismatch(expected: blob.size, actual: end), context) }
        try state.withLock { state in
            let known = state.verifier.byteCount
            guard !state.isVerified, start <= known, end > known else { return }
            state.verifier.take(buffer.readableBytesSpan.extracting(last: Int(end - known)))
            guard end == blob.size else { return }
            do {
                try state.verifier.finish()
                state.isVerified = true
            } catch let error as RegistryError {
                state.verifier = BlobVerifier(blob, context: Self.context(blob))
                throw error.with(context, request: nil)
            }
        }
    }

    private static func context(_ blob: Descriptor) -> RequestContext {
        RequestContext(operation: "fetching the blob", subject: blob.digest.description)
    }
}

/// What is uploaded could not be had from where it is.
package struct BlobSourceFailure: Error, CustomStringConvertible {
    /// Why not.
    package let underlying: any Error

    /// The cause, which names where it should be.
    package var description: String { "\(underlying)" }
}
