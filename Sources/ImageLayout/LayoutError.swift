package import Archive
package import OCI

/// A bundle could not be planned, written or read, or what it holds is damaged.
package struct LayoutError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    package enum Operation: String, Hashable, Sendable {
        case planning
        case writing
        case reading
    }

    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        // Planning.
        case conflictingSizes(Digest, Int64, Int64)
        case conflictingNames(String, Digest, Digest)
        case missingDocument(Digest, image: String)
        /// The sizes add up to more than a file can have.
        case tooLarge

        // Writing.
        case outputExists
        /// The process is nil where it cannot be told.
        case beingFilled(processID: Int32?)
        /// How many bytes are needed, and how many the file system has.
        case noSpace(needed: Int64, available: Int64)
        /// How many bytes are needed, and how many the process's limit allows; nil where the file system is the limit.
        case fileTooLarge(needed: Int64, limit: Int64?)
        /// Bytes beyond the size that the plan has for a blob.
        case beyondBlob(Digest, byteCount: Int64)
        /// A blob that the file was never planned to have.
        case notPlanned(Digest)
        /// The file under the name of the partial is another one now.
        case partialReplaced
        /// Another run puts the file right.
        case beingRepaired
        /// The file under the name is another one than a moment ago.
        case replaced
        /// A partial file that no interrupted run of ours left, or that has been damaged since, in words.
        case notContinuable(reason: String)

        /// What makes it nothing that can be put right in its place, in words.
        case notRepairable(reason: String)

        // Reading.
        case archive(ArchiveError)
        /// The file became another one while it was read.
        case changed
        case unsafePath
        case duplicateEntry
        /// An entry that is neither a file nor a directory, in words.
        case unsupportedEntry(kind: String)
        /// What makes it no image layout.
        case notLayout(reason: String)
        case unsupportedVersion(String)
        case tooManyBytes(Int64, limit: Int)
        case unreadable(reason: String)
        /// The images have more manifests and blobs than are looked at.
        case tooManyParts(limit: Int)
        /// An entry of a Docker archive that another names and that is not there.
        case missingEntry(String)
        /// A link that leads out of the archive.
        case linkLeadsOut
        /// Links that lead to each other in a circle, or nearly so.
        case tooManyLinks(limit: Int)
        /// An image's layers in a Docker archive that are their own ancestors; the id of one.
        case parentLoop(String)
        case tooManyLayers(limit: Int)
        /// The configs and manifests of a Docker archive are too much together.
        case tooManyDocumentBytes(limit: Int)
        /// How many layers a Docker archive has for an image, and of how many its config says what they hold.
        case differentLayerCounts(layers: Int, diffIDs: Int)
        /// A compression that no layer may have; its name.
        case unsupportedCompression(String)
        /// What a Docker archive gives for a name is none.
        case invalidName(ReferenceError)
        case nameWithDigest(String)
        /// The file became shorter while it was read.
        case endsEarly(at: Int64)

        // Damage.
        case missing(Digest)
        case wrongSize(Digest, expected: Int64, actual: Int64)
        case wrongDigest(expected: Digest, actual: Digest)
        case invalidDocument(Digest, DocumentError)
        case tooManyDocuments(Digest, limit: Int)
        /// A layer that is what its digest says, and does not decompress.
        case brokenLayer(Digest, ArchiveError)
        /// How a layer is compressed as its manifest says and as it is; nil where it is in none of the known ways.
        case wrongCompression(layer: Digest, manifest: Digest, declared: Compression?, actual: Compression?)
        /// The digest of a layer's content as a config says and as it is.
        case wrongContent(layer: Digest, config: Digest, expected: Digest, actual: Digest)
        /// How many layers a manifest has, and of how many its config says what they hold.
        case wrongLayerCount(manifest: Digest, config: Digest, layers: Int, diffIDs: Int)

        // Both.
        /// What it is, in words.
        case notRegularFile(kind: String)
        /// The system refused something; the value of `errno`.
        case system(operation: String, errno: Int32)
        /// OpenSSL refused a digest; its own text.
        case digest(reason: String)
    }

    /// What is wrong.
    package let code: Code
    /// What was being done.
    package let operation: Operation
    /// The file that is written or read; nil while planning.
    package let path: String?
    /// The path of the entry within the bundle that is concerned.
    package let entry: String?
    /// The names of the images that need what is damaged; the digest of one without a name.
    package let images: [String]

    init(_ code: Code, _ operation: Operation, path: String?, entry: String? = nil, images: [String] = []) {
        self.code = code
        self.operation = operation
        self.path = path
        self.entry = entry
        self.images = images
    }
}

extension LayoutError.Code {
    /// The content that is damaged, where this is about damage; where two disagree, the one that fewer images need.
    package var damagedDigest: Digest? {
        switch self {
        case .missing(let digest), .wrongSize(let digest, _, _), .wrongDigest(let digest, _),
            .invalidDocument(let digest, _), .tooManyDocuments(let digest, _), .brokenLayer(let digest, _),
            .wrongCompression(_, let digest, _, _), .wrongContent(_, let digest, _, _),
            .wrongLayerCount(let digest, _, _, _):
            digest
        default: nil
        }
    }
}

extension LayoutError {
    /// Whether a bundle was read and is not what it should be, as opposed to being no bundle, or not readable.
    package var isContentDamage: Bool {
        switch code {
        case .archive(let error): error.isDamage
        case .endsEarly, .duplicateEntry, .conflictingNames, .missingEntry, .parentLoop, .differentLayerCounts:
            operation == .reading
        default: code.damagedDigest != nil
        }
    }
}
