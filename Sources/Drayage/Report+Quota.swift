import RegistryClient

extension Report {
    /// How many requests a registry allows, as it last said, beside what a bundle takes.
    ///
    /// Docker Hub counts requests for manifests, and neither those for blobs nor `HEAD`.
    public struct Quota: Sendable, Encodable {
        /// The registry.
        public let registry: String
        /// The requests that are allowed within the window; nil where it is not said.
        public let limit: Int?
        /// How many of them are left.
        public let remaining: Int
        /// The window in seconds; nil where it is not said.
        public let windowSeconds: Int64?
        /// The requests for manifests that it takes to make the bundle.
        public let needed: Int
    }
}

extension Report.Quota {
    init(_ registry: String, _ limit: RateLimit, needed: Int) {
        self.registry = registry
        self.limit = limit.limit
        remaining = limit.remaining
        windowSeconds = limit.window?.components.seconds
        self.needed = needed
    }
}
