import Drayage

/// What a registry says of its limit, as a person reads it.
struct QuotaText {
    private let quota: Report.Quota
    private let isDone: Bool

    /// Takes a quota.
    ///
    /// - Parameters:
    ///   - quota: the quota.
    ///   - isDone: whether the bundle is made, so that what is left is left for others.
    init(_ quota: Report.Quota, isDone: Bool) {
        self.quota = quota
        self.isDone = isDone
    }

    /// One line, with what to do where too little is left.
    var line: String {
        let left =
            quota.limit.map { "\(quota.remaining) of \(Count.text($0, "request"))" }
            ?? Count.text(quota.remaining, "request")
        let window = quota.windowSeconds.map { " in \(Self.duration($0))" } ?? ""
        let needed = "the manifests of this bundle \(isDone ? "took" : "take") \(quota.needed)"
        let isShort = !isDone && quota.remaining < quota.needed
        let advice = isShort ? ": wait until more are left, or log in with an account that may send more" : ""
        return "\(quota.registry): \(left) left\(window); \(needed)\(advice)"
    }

    private static func duration(_ seconds: Int64) -> String {
        if seconds > 0, seconds % 3600 == 0 { return "\(seconds / 3600) h" }
        if seconds > 0, seconds % 60 == 0 { return "\(seconds / 60) min" }
        return "\(seconds) s"
    }
}
