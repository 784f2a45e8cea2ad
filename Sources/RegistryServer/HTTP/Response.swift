import NIOCore
import NIOHTTP1
import RegistryDirectory

/// An answer.
struct Response: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Part of a blob, the range counted from the blob's own beginning.
        case blob(OpenBlob, Range<Int64>)

        var byteCount: Int64 {
            switch self {
            case .none: 0
            case .bytes(let bytes): Int64(bytes.count)
            case .blob(_, let range): Int64(range.count)
            }
        }
    }

    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    /// What is sent; the answer to a HEAD request has its length and not its bytes.
    var body: Body

    init(_ status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Body = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Whether this status comes with a length; 204 and 304 have no body by their nature.
    var hasLength: Bool { status != .noContent && status != .notModified }
}
