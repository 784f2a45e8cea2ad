import NIOCore
import NIOHTTP1

/// A request: its head, taken apart, and its body, still to come.
struct Request {
    let method: HTTPMethod
    let version: HTTPVersion
    /// The path of the URL as it was sent.
    let path: String
    let query: Query
    let headers: HTTPHeaders
    let body: RequestBody

    /// The registry that the reference names, where this is asked as a mirror of it, as containerd says it.
    var namespace: String? { query["ns"].flatMap { $0.isEmpty ? nil : $0 } }

    /// A target without its scheme and host, which a client may name too.
    ///
    /// Spec: RFC 9112 "absolute-form".
    private static func originForm(_ target: String) -> Substring {
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            return rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        return target[...]
    }

    /// Why this is no request that HTTP allows; nil where it is one.
    var fault: APIError? {
        if version == .http1_1, headers["host"].count != 1 {
            return APIError(.badRequest, .unsupported, "a request of HTTP/1.1 names one host")
        }
        let codings = headers[canonicalForm: "transfer-encoding"]
        guard codings.allSatisfy({ $0.lowercased() == "chunked" }) else {
            return APIError(.notImplemented, .unsupported, "the only transfer coding that is known is chunked")
        }
        return nil
    }

    init(head: HTTPRequestHead, body: RequestBody) {
        let target = Self.originForm(head.uri)
        let mark = target.firstIndex(of: "?")
        method = head.method
        version = head.version
        path = String(target[..<(mark ?? target.endIndex)])
        query = Query(mark.map { target[target.index(after: $0)...] } ?? "")
        headers = head.headers
        self.body = body
    }
}
