extension Report {
    /// What became of a blob.
    public enum BlobStatus: String, Sendable, Encodable {
        /// It is to be moved.
        case planned
        /// It came from a registry.
        case fetched
        /// An interrupted run had it.
        case kept
        /// It came from an earlier bundle.
        case reused
        /// It was sent to a registry.
        case uploaded
        /// A registry took it from another of its repositories.
        case mounted
        /// A registry had it.
        case present
        /// It was damaged, and is whole again.
        case repaired
        /// It could not be had, or brought.
        case failed
    }

    /// One blob, and where it goes to several repositories one for each.
    public struct Blob: Sendable, Encodable {
        /// Its digest.
        public let digest: Digest
        /// Its type, as a manifest says it.
        public let mediaType: MediaType
        /// Its size in bytes.
        public let byteCount: Int64
        /// What became of it.
        public let status: BlobStatus
        /// Where it came from: a repository, or the path of a bundle.
        public var source: String?
        /// The repository to which it went.
        public var target: String?
        /// The bytes that were moved for it, those in vain among them.
        public var movedByteCount: Int64?
        /// How often it was tried, in all repositories that have it.
        public var attempts: Int?
        /// Why it failed.
        public var cause: String?

        init(_ blob: Descriptor, _ status: BlobStatus) {
            digest = blob.digest
            mediaType = blob.mediaType
            byteCount = blob.size
            self.status = status
        }

        init(_ blob: Descriptor, _ status: BlobStatus, in repository: Repository) {
            self.init(blob, status)
            target = repository.description
        }
    }
}

/// What became of the blobs of a run, gathered from all tasks.
struct BlobRecords: Sendable {
    private struct Key: Hashable, Comparable {
        let digest: Digest
        let target: String?

        static func < (left: Key, right: Key) -> Bool {
            left.digest == right.digest ? (left.target ?? "") < (right.target ?? "") : left.digest < right.digest
        }
    }

    private var blobs: [Key: Report.Blob] = [:]

    /// Notes what became of a blob; what is noted last of one counts.
    mutating func note(_ blob: Report.Blob) { blobs[Key(digest: blob.digest, target: blob.target)] = blob }

    /// All of them, by digest and target.
    var sorted: [Report.Blob] { blobs.keys.sorted().compactMap { blobs[$0] } }
}
