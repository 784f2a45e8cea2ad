import RegistryClient

/// What a command did or found: the one document that `--json` prints, whatever the command.
public struct Report: Sendable, Encodable {
    /// How a run ended.
    public enum Outcome: String, Sendable, Codable {
        case done
        case partial
        case failed
    }

    /// What became of an image.
    public enum Status: String, Sendable, Encodable {
        case bundled
        case pushed
        case upToDate = "up-to-date"
        case skipped
        case planned
        case present
        case verified
        case failed
    }

    /// One image.
    public struct Image: Sendable, Encodable {
        /// Its canonical reference in the bundle.
        public var reference: String
        /// The reference that was asked for, with its digest, where the one above has none; of what a copy could not bring.
        public var requested: String?
        /// Where it is or goes, for commands that have a target.
        public var target: String?
        /// The digest of its manifest or index.
        public var digest: Digest?
        /// The digest of the index that it has where it comes from, where the one here is of some platforms alone.
        public var originalDigest: Digest?
        /// The type of its manifest or index.
        public var mediaType: MediaType?
        /// The platforms that it is for.
        public var platforms: [String]?
        /// How many manifests refer to it or to what is beneath it: signatures, attestations, SBOMs; nil where nobody
        /// looked.
        public var referrerCount: Int?
        /// What refers to it or to what is beneath it, for a bundle; nil where nobody looked.
        public var referrers: [Referrer]?
        /// The bytes of its manifests and blobs, each counted once within the image.
        public var byteCount: Int64?
        /// What became of it.
        public var status: Status
        /// The digest that the tag had in the target before.
        public var previousDigest: Digest?
        /// How often its manifest was tried, for commands that fetch or put it.
        public var attempts: Int?
        /// The repository in which a bundle found it: a mirror's, or its own; nil where none was asked.
        public var source: String?

        init(reference: String, status: Status) {
            self.reference = reference
            self.status = status
        }
    }

    /// A manifest that refers to an image, or to what is beneath it.
    public struct Referrer: Sendable, Codable {
        /// Its digest.
        public let digest: Digest
        /// Its type.
        public let mediaType: MediaType
        /// The bytes of its manifest.
        public let byteCount: Int64
        /// What it refers to.
        public let subject: Digest
        /// The tag under which it was found, where it had one.
        public let tag: String?
    }

    /// One failure.
    public struct Failure: Sendable, Encodable {
        /// The reference or digest that it is about.
        public let subject: String
        /// What was being done, on what, and why it failed.
        public let message: String
        /// The exit code that it alone would give.
        let exitCode: ExitStatus

        private enum CodingKeys: String, CodingKey {
            case subject
            case message
        }

        init(subject: String, error: any Error) {
            self.init(subject: subject, message: "\(error)", exitCode: ExitStatus(of: error))
        }

        init(subject: String, message: String, exitCode: ExitStatus) {
            self.subject = subject
            self.message = message.printable
            self.exitCode = exitCode
        }
    }

    /// The blobs and bytes of a run.
    public struct Totals: Sendable, Encodable {
        /// Distinct blobs.
        public var blobCount = 0
        /// Their bytes.
        public var byteCount: Int64 = 0
        /// Blobs that were or would be uploaded.
        public var uploadCount: Int?
        /// Their bytes.
        public var uploadByteCount: Int64?
        /// Blobs that were or would be mounted from another repository.
        public var mountCount: Int?
        /// The bytes that an interrupted run had fetched.
        public var keptByteCount: Int64?
        /// The bytes that came from earlier bundles.
        public var reusedByteCount: Int64?
        /// The bytes of blobs that came from registries, those that came in vain among them.
        public var fetchedByteCount: Int64?
        /// Requests that were sent.
        public var requestCount: Int?
        /// Layers whose content was verified too.
        public var layerCount: Int?
        /// The bytes of their content, decompressed.
        public var layerByteCount: Int64?
    }

    /// One repository of a listing.
    public struct RepositoryTags: Sendable, Encodable {
        /// The repository's path.
        public let repository: String
        /// Its tags.
        public let tags: [String]
    }

    /// The version of this schema.
    public let schema = Report.currentSchema
    /// The command.
    public internal(set) var command: String
    /// How it ended.
    public var outcome = Outcome.done
    /// The bundle, for commands that have one.
    public var bundle: String?
    /// The file that keeps what has been fetched of a bundle that failed.
    public var partial: String?
    /// The bytes of the bundle's file.
    public var bundleByteCount: Int64?
    /// The target, for commands that have one.
    public var target: String?
    /// The images.
    public var images: [Image] = []
    /// The blobs that were, or would be, moved; nil for commands that move none.
    public var blobs: [Blob]?
    /// Entries of the bundle's index that have no name, and that a target therefore cannot have; nil where all do.
    public var unnamedCount: Int?
    /// The repositories of a listing.
    public var repositories: [RepositoryTags]?
    /// What a prune takes and what it leaves.
    public var plan: PrunePlan?
    /// What a prune has removed; nil where it removed nothing because it was not to, or was refused.
    public var removed: Removal?
    /// The repositories of a registry of which a prune has not removed all that it was to; nil where there is none.
    public var unfinished: [RepositoryPath]?
    /// Where files name images; nil for commands that look for none.
    public var found: [FoundImage]?
    /// What was found out about a registry; nil for commands that ask nothing of that.
    public var checks: [Check]?
    /// The totals.
    public var totals: Totals?
    /// What is not as one might expect, and yet no failure.
    public var notes: [String] = []
    /// What registries say of their limits, for a bundle; nil where none says anything.
    public var quotas: [Quota]?
    /// What failed.
    public var failures: [Failure] = []

    static let currentSchema = "dev.drayage.report.v1"

    init(command: String) { self.command = command }

    /// The exit code of the run: what the failures say where nothing was done, 2 where something was.
    public var exitStatus: ExitStatus {
        switch outcome {
        case .done: .done
        case .partial: .partial
        case .failed: failures.map(\.exitCode).max { $0.rank < $1.rank } ?? .failed
        }
    }
}

extension Report {
    /// The version of Drayage.
    public static let drayageVersion = Version.current

    /// The report of a command that an error ended: a failure for each thing that the error tells.
    public init(command: String, error: any Error) {
        self.init(command: command)
        outcome = .failed
        let messages = (error as? DrayageError)?.lines ?? ["\(error)"]
        failures = messages.map { Failure(subject: command, message: $0, exitCode: ExitStatus(of: error)) }
    }
}
