import NIOHTTP1

/// A request as the layers above the connection see it.
struct HTTPRequest: Sendable {
    /// What is sent after the head.
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A range of a file, sent straight from it; the closure hears how many bytes have been handed over so far.
        case file(FileRange, sent: @Sendable (Int64) -> Void)
        /// Bytes that another registry sends; the closure hears how many have left so far.
        case relay(RelayBody, sent: @Sendable (Int64) -> Void)

        /// Whether it is the bytes of a blob.
        var isBlob: Bool {
            switch self {
            case .file, .relay: true
            case .none, .bytes: false
            }
        }
    }

    var method: HTTPMethod
    var url: RequestURL
    var headers = HTTPHeaders()
    var body = Body.none
    /// The registry that it is for, also where that has sent us elsewhere.
    var registry: URLParts.Origin?
    /// Whether it goes to the maker of a foreign layer, who is told nothing of us.
    var isAnonymous = false
    /// Whether a redirect to another host is an answer, and not followed.
    var staysAtHost = false

    /// The host that it goes to; nil where its URL is no http or https URL of a host.
    var origin: URLParts.Origin? { url.origin }

    /// The request as an error names it: without the query, which may hold signatures, and without a user.
    var name: String { "\(method.rawValue) \(URLParts.redacted(url.text))" }
}

/// The URL of a request, with its host, which each layer asks for: it is looked for once.
struct RequestURL: Sendable {
    let text: String
    let origin: URLParts.Origin?

    init(_ text: String) {
        self.text = text
        origin = URLParts.origin(of: text)
    }

    /// Appends a path, which begins with a slash, to the base URL of a registry.
    init(_ path: String, at endpoint: RegistryEndpoint) {
        text = endpoint.baseURL + path
        origin = endpoint.origin
    }
}

/// A range of an open file.
package struct FileRange: Sendable {
    /// The open file.
    ///
    /// It must stay open while the range is in use.
    package let descriptor: Int32
    /// The first byte.
    package let offset: Int64
    /// The number of bytes.
    package let byteCount: Int64

    /// Describes a range.
    package init(descriptor: Int32, offset: Int64, byteCount: Int64) {
        self.descriptor = descriptor
        self.offset = offset
        self.byteCount = byteCount
    }
}

/// An answer.
///
/// The body is here only where it was not streamed to a sink.
struct HTTPResponse: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
    /// The body went on beyond what was to be kept.
    var bodyWasCut: Bool
    /// The URL that answered, after redirects.
    var url: String
    /// What to say besides, should the status be an error.
    var hint: String?
    /// How long the host asks to be left alone.
    var retryAfter: Duration?
}

/// What becomes of the body of an answer.
enum BodyHandling: Sendable {
    /// Kept where the status is 200, up to a number of bytes, and as an error's elsewhere; what is beyond is not read.
    case collect(limit: Int)
    /// Verified and handed on piece by piece, where it is of the blob; any other body is kept as an error's.
    case stream(BlobDownload.Request)
    /// Written to another connection as it comes, where it is of the blob; any other body is kept as an error's.
    case forward(BlobForward, RequestContext)

    /// The most bytes of an error's body that are read.
    static let errorBodyLimit = 64 << 10
}
