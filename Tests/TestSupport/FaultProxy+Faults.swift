import Foundation

extension FaultProxy {
    /// What is done to one request, or to its answer.
    ///
    /// A byte's place is its place in the body, from 0, without any transfer coding.
    package enum Fault: Sendable {
        /// The connection is reset, and for so long every new one is refused.
        case refused(for: Duration)

        // MARK: The request

        /// So many bytes of the request's body go on, then both connections are reset. No answer is passed on.
        case resetRequest(after: Int)
        /// So many bytes of the request's body go on, then nothing more is read until the client gives up.
        case stalledRequest(after: Int)
        /// The request's body goes on in pieces of so many bytes, with a pause after each.
        case drippingRequest(byteCount: Int, every: Duration)

        // MARK: An answer of the proxy's own

        /// The proxy reads the request and answers by itself; the registry hears nothing of it.
        case answer(Answer)
        /// The same, but before the request's body is read: what comes of that goes nowhere, and the connection ends.
        case earlyAnswer(Answer)

        // MARK: The registry's answer

        /// The registry does what it is asked, and its answer is sent in another way.
        ///
        /// What is to have the right length has that of the registry's answer, where it has one.
        case transfer(Answer.Transfer)
        /// The answer's body is sent in pieces of so many bytes, with a pause after each.
        case dripping(byteCount: Int, every: Duration)
        /// The answer's body has so many bytes only, and its `Content-Length` says the same.
        case shortened(to: Int)
        /// One byte of the answer's body is another; the last one, where the body is known to be shorter.
        case flipped(at: Int)
        /// The answer is one of HTTP/1.0, and the connection ends with it.
        case http10
        /// These header fields of the request and of the answer have other values; nil removes one.
        case altered(request: [(name: String, value: String?)] = [], answer: [(name: String, value: String?)] = [])
    }
}

extension FaultProxy.Fault {
    /// The proxy answers with that status and an error as registries write them, perhaps with a `Retry-After`.
    package static func status(_ status: Int, retryAfter: RetryAfter? = nil) -> Self {
        let codes = [408: "TIMEOUT", 413: "SIZE_INVALID", 425: "TOO_EARLY", 429: "TOOMANYREQUESTS"]
        let answer = Answer.error(status, codes[status] ?? "UNAVAILABLE")
        return .answer(retryAfter.map { answer.with("Retry-After", $0.text) } ?? answer)
    }

    /// The body is too large: said at once, as proxies in front of registries do.
    package static let tooLarge = earlyAnswer(.error(413, "SIZE_INVALID").with("Connection", "close"))

    /// The registry knows nothing of the upload session.
    package static let lostUpload = answer(.error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"))

    /// The registry has no such range, of a blob of so many bytes.
    package static func rangeNotSatisfiable(byteCount: Int) -> Self {
        .answer(Answer(416, headers: [("Content-Range", "bytes */\(byteCount)")]))
    }

    /// The same target of another `host:port`.
    package static func redirect(_ request: Request, to host: String) -> Self {
        .answer(.redirect(to: "http://\(host)\(request.target)"))
    }

    /// The same target of the same host, again and again.
    package static func redirectLoop(_ request: Request) -> Self { .answer(.redirect(to: request.target)) }

    /// The registry is asked for another range, or with nil for the whole: the answer says so honestly.
    package static func askingForRange(_ range: String?) -> Self { .altered(request: [("Range", range)]) }

    /// The answer says that it is another range than it is.
    package static func contentRange(_ range: String?) -> Self { .altered(answer: [("Content-Range", range)]) }

    /// The answer says that its content has another digest.
    package static func contentDigest(_ digest: String?) -> Self {
        .altered(answer: [("Docker-Content-Digest", digest)])
    }

    /// How long a client is asked to wait, in both forms that HTTP has.
    package enum RetryAfter: Sendable {
        /// So many seconds.
        case seconds(Int)
        /// Until a date, so many seconds from now.
        case date(secondsFromNow: Int)

        /// The header field's value.
        package var text: String {
            switch self {
            case .seconds(let count): "\(count)"
            case .date(let count): Self.text(of: Date(timeIntervalSinceNow: Double(count)))
            }
        }

        /// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
        static func text(of date: Date) -> String {
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.timeZone = TimeZone(secondsFromGMT: 0)
            formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            return formatter.string(from: date)
        }
    }
}

extension Answer: CustomStringConvertible {
    /// What a line about a fault tells of it.
    package var description: String {
        let fields = headers.map { ", \($0.name): \($0.value)" }.joined()
        return "\(status)\(fields), \(body.count) bytes, \(transfer)"
    }
}
