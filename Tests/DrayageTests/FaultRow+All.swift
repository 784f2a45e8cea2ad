import TestSupport

extension FaultRow {
    /// Every fault that can happen to any request, and to those of an upload.
    static let all = connections + requestBodies + answers + lengths + contents + statuses + uploads

    /// Nothing of a blob as small as these is too large for good reason, so it is not tried in another way.
    static let refusals = [
        Self("413, early", .tooLarge, only: .putBlob) { _ in .failure("answered 413", attempts: 1) },
        Self("413, late", .status(413), only: .putBlob) { _ in .failure("answered 413", attempts: 1) },
    ]

    /// For longer than a job tries that tries twice: what it has of connections is reset, others are refused.
    static let lasting = [
        Self("connection refused", .refused(for: .seconds(5)), refuses: true) { _ in .failure("connection") }
    ]

    /// Passes while the first request waits.
    static let passing = [Self("connection refused", .refused(for: .milliseconds(300))) { _ in nil }]

    /// What is worth three times as well.
    static let serverErrors = [500, 502, 503, 504].map { status in
        Self("\(status)", .status(status)) { _ in .failure("answered \(status)") }
    }

    private static let lost = Ending.failure("the connection was lost")
    private static let timedOut = Ending.failure("nothing moved for too long")

    /// Of a blob that the registry has taken only the answer is lost, and it is asked whether it has it.
    private static func unanswered(_ step: FaultStep, _ ending: Ending) -> Ending { step == .putBlob ? .whole : ending }

    private static let otherDigest = Ending.failure("the digest must be")
    private static let otherSize = Ending.failure("bytes were expected")

    private static let connections = [
        Self("reset before the request is read", .earlyAnswer(Answer(transfer: .resetBeforeHead))) { _ in lost },
        Self("reset before the head", .transfer(.resetBeforeHead)) { unanswered($0, lost) },
        Self("closed before the head", .transfer(.closedBeforeHead)) { unanswered($0, lost) },
        Self("stalled before the head", .transfer(.stalledBeforeHead), stalls: true) { unanswered($0, timedOut) },
        Self("HTTP/1.0, closed after it", .http10) { _ in .whole },
    ]

    private static let requestBodies =
        [0, 1, 200].map { count in
            Self("reset in the request, at byte \(count)", .resetRequest(after: count)) { _ in lost }
        } + [
            Self("request stalled at byte 0", .stalledRequest(after: 0), stalls: true) { _ in timedOut },
            Self("request stalled at byte 200", .stalledRequest(after: 200), stalls: true) { _ in timedOut },
            Self("dripping request", .drippingRequest(byteCount: 100, every: .milliseconds(10))) { _ in .whole },
        ]

    /// The manifest is shorter than 2000 bytes, the layer is longer; the answers to a push have no body.
    private static let answers =
        [0, 1, 200, 2000].flatMap { count in
            [
                Self("reset at byte \(count)", .transfer(.reset(after: count))) { broken($0, at: count) },
                Self("cut at byte \(count), with the right length", .transfer(.truncated(after: count))) {
                    broken($0, at: count)
                },
            ]
        } + [
            Self("stalled at byte 0", .transfer(.stalled(after: 0)), stalls: true) { step in
                step.job == .bundle ? timedOut : .whole
            },
            Self("stalled at byte 2000", .transfer(.stalled(after: 2000)), stalls: true) { _ in .whole },
            // All of it takes longer than nothing may move.
            Self("dripping", .dripping(byteCount: 100, every: .milliseconds(100)), stalls: true) { _ in .whole },
        ]

    private static func broken(_ step: FaultStep, at count: Int) -> Ending? {
        switch step {
        case .fetchManifest: count < 2000 ? lost : .whole
        // What goes on gets there: with one byte each time that is three thousand times.
        case .fetchBlob: count == 0 ? lost : count == 1 ? nil : .whole
        default: count == 0 ? .whole : nil
        }
    }

    private static let lengths = [
        Self("cut at byte 100, and the length too", .shortened(to: 100)) { step in
            switch step {
            case .fetchManifest: otherDigest
            case .fetchBlob: otherSize
            default: nil
            }
        },
        Self("a length that is too small", .transfer(.declaring(100))) { step in
            switch step {
            case .fetchManifest: otherDigest
            case .fetchBlob: otherSize
            case .lookUp: .whole
            default: unanswered(step, lost)
            }
        },
        Self("a length that is too large", .transfer(.declaring(1 << 20))) { step in
            switch step {
            case .fetchBlob: otherSize
            case .lookUp: .whole
            default: unanswered(step, lost)
            }
        },
    ]

    private static let contents =
        [0, 100].map { place in
            Self("byte \(place) flipped", .flipped(at: place)) { step in
                step.job == .bundle ? otherDigest : nil
            }
        } + [
            Self("a wrong Docker-Content-Digest", .contentDigest("sha256:" + String(repeating: "0", count: 64))) {
                // A blob's own bytes are what counts.
                [.fetchManifest, .putManifest].contains($0) ? otherDigest : .whole
            },
            Self("a redirect to itself", by: FaultProxy.Fault.redirectLoop) { _ in
                .failure("more than 10 redirects", attempts: 1)
            },
        ]

    private static let statuses =
        [408, 425, 429].map { status in
            Self("\(status)", .status(status)) { _ in .failure("answered \(status)") }
        } + [
            Self("429, Retry-After in seconds", .status(429, retryAfter: .seconds(1))) { _ in
                .failure("answered 429")
            },
            Self("429, Retry-After as a date", .status(429, retryAfter: .date(secondsFromNow: 1))) { _ in
                .failure("answered 429")
            },
        ] + serverErrors

    private static let uploads = [
        Self("upload session lost", .lostUpload, only: .putBlob) { _ in .failure("BLOB_UPLOAD_UNKNOWN") }
    ]
}
