import FoundationEssentials

/// What a bundle was made of, so that the same one can be made again: on another machine, and whatever tags mean by then.
public struct BundleLock: Sendable, Codable {
    /// One image.
    public struct Image: Sendable, Codable {
        /// What was asked for.
        public let reference: String
        /// What it meant.
        public let digest: Digest
        /// The digest that it has in the bundle, where platforms were left out of its index.
        public let bundledDigest: Digest?
        /// The platforms that are in the bundle; nil for a single manifest.
        public let platforms: [String]?
        /// The bytes of its manifests and blobs in the bundle, each counted once.
        public let byteCount: Int64?
        /// The repository in which it was found.
        public let source: String?
        /// What refers to it, and came along.
        public let referrers: [Report.Referrer]
    }

    /// The version of this schema.
    public let schema: String
    /// The platforms that were taken of each image; nil for all.
    public let platforms: [String]?
    /// What became of indexes of which some were left out.
    public let sparse: SparseIndexPolicy?
    /// What became of layers that their makers ask not to distribute.
    public let foreign: ForeignLayerPolicy
    /// The images, sorted by reference.
    public let images: [Image]

    private static let currentSchema = "dev.drayage.lock.v1"

    /// Takes down what a run has made, or would make.
    ///
    /// - Parameters:
    ///   - report: what it tells; the images that failed are not in the lock.
    ///   - options: how it was made.
    public init(_ report: Report, options: Synchronizer.Options) {
        schema = Self.currentSchema
        platforms = options.platforms.isEmpty ? nil : Set(options.platforms).sorted().map(\.description)
        sparse = options.platforms.isEmpty ? nil : options.sparseIndexes
        foreign = options.foreignLayers
        images = report.images.compactMap { image in
            guard let digest = image.digest else { return nil }
            return Image(
                reference: Self.reference(of: image),
                digest: image.originalDigest ?? digest,
                bundledDigest: image.originalDigest.map { _ in digest },
                platforms: image.platforms,
                byteCount: image.byteCount,
                source: image.source,
                referrers: image.referrers ?? []
            )
        }.sorted { $0.reference < $1.reference }
    }

    /// Reads a lock.
    ///
    /// - Parameters:
    ///   - text: what was written of one, as JSON.
    ///   - path: what errors call it.
    /// - Throws: ``DrayageError`` with `usage` where it is none, or of another version.
    public init(_ text: [UInt8], path: String) throws {
        do {
            self = try JSONDecoder().decode(BundleLock.self, from: Data(text))
        } catch {
            throw DrayageError(.usage, "\(path.printable) is no lock of drayage")
        }
        guard schema == Self.currentSchema else {
            throw DrayageError(
                .usage,
                "\(path.printable) is of the form \(schema.printableExcerpt), not of \(Self.currentSchema)"
            )
        }
        guard !images.isEmpty else { throw DrayageError(.usage, "\(path.printable) locks no image") }
        for text in platforms ?? [] where PlatformSelector(parsing: text) == nil {
            throw DrayageError(.usage, "\(path.printable) names \(text.printableExcerpt), which is no platform")
        }
        for (reference, image) in zip(try references, images) where reference.digest ?? image.digest != image.digest {
            throw DrayageError(.usage, "\(path.printable) has \(reference) with another digest, \(image.digest)")
        }
    }

    /// What is locked.
    ///
    /// - Throws: ``DrayageError`` with `usage` where something is no reference, or is there twice.
    public var references: [Reference] {
        get throws {
            var known: Set<Reference> = []
            return try images.map { image in
                do {
                    let reference = try Reference(parsing: image.reference).withDefaultTag
                    guard known.insert(reference).inserted else {
                        throw DrayageError(.usage, "the lock has \(reference) twice")
                    }
                    return reference
                } catch let error as ReferenceError {
                    throw DrayageError(.usage, "the lock has what is no reference", underlying: error)
                }
            }
        }
    }

    /// Refuses a list of other images than those that are locked.
    ///
    /// Where it asks for all tags of a repository, those that are locked are what it meant.
    ///
    /// - Parameters:
    ///   - list: the list.
    ///   - excluded: what is left out of it.
    /// - Throws: ``DrayageError`` with `usage`, and what ``ImageList/checkedEntries()`` throws.
    public func requireSame(_ list: ImageList, excluding excluded: [ImagePattern] = []) throws {
        let (entries, references) = (try list.checkedEntries(), try references)
        let whole = Set(entries.filter(\.meansAllTags).map(\.reference.repository))
        let single = entries.filter { !$0.meansAllTags }.map(\.reference.withDefaultTag)
            .filter { reference in !excluded.contains { $0.matches(reference) } }
        let (asked, locked) = (Set(single.map(\.bundleName)), Set(references.map(\.bundleName)))
        let expanded = Set(references.filter { whole.contains($0.repository) }.map(\.bundleName))
        let added =
            asked.subtracting(locked).sorted().map { "\($0) is not locked" }
            + whole.subtracting(references.map(\.repository)).map { "no tag of \($0) is locked" }.sorted()
        let gone = locked.subtracting(asked).subtracting(expanded).sorted().map { "\($0) is locked and not asked for" }
        guard let first = (added + gone).first else { return }
        let more = added.count + gone.count - 1
        throw DrayageError(
            .usage,
            "the list and the lock differ: \(first)\(more > 0 ? " and \(more) more" : ""); without --locked it is locked anew"
        )
    }

    /// Makes a bundle of exactly what is locked.
    public func apply(to options: inout Synchronizer.Options) {
        options.platforms = (platforms ?? []).compactMap(PlatformSelector.init)
        options.sparseIndexes = sparse ?? .strip
        options.foreignLayers = foreign
        options.lock = self
    }

    /// What was asked for: in the bundle, an image that was asked for by digest is called after the one that it has there.
    private static func reference(of image: Report.Image) -> String {
        guard let original = image.originalDigest, let reference = try? Reference(parsing: image.reference),
            reference.tag == nil
        else { return image.reference }
        return Reference(repository: reference.repository, tag: nil, digest: original).description
    }
}

extension BundleLock {
    /// Fails the images that are in a bundle with another digest than the lock says.
    func requireSameDigests(in resolution: inout Resolver.Resolution) throws {
        let locked = Dictionary(zip(try references.map(\.bundleName), images)) { first, _ in first }
        var failures: [Int: any Error] = [:]
        for (index, image) in resolution.images.enumerated() {
            guard let entry = locked[image.reference.bundleName] else { continue }
            let expected = entry.bundledDigest ?? entry.digest
            guard expected != image.top.digest else { continue }
            failures[index] = DrayageError(
                .unverified,
                "\(image.reference) would be bundled with the digest \(image.top.digest), and is locked with \(expected); the "
                    + "lock was made by another version of drayage, or changed"
            )
        }
        resolution.fail(failures)
    }

    /// What each reference means.
    func pinned() throws -> [Reference: Digest] {
        Dictionary(zip(try references, images.map(\.digest))) { first, _ in first }
    }
}
