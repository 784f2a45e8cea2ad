import ImageLayout
import OCI

/// What the bundles hold, by the repository that each image came from.
struct BundleSources {
    let readers: [LayoutReader]
    private(set) var repositories: [Repository: BundleRepository] = [:]
    /// Under which path each of them is served.
    private(set) var paths: [Repository: RepositoryPath] = [:]

    /// Reads the names of all images, and finds out what belongs to each.
    ///
    /// - Throws: ``BundleError`` for a bundle that a push would refuse, or a name that has two images; what `naming`
    ///   throws.
    init(readers: [LayoutReader], naming: (Repository) throws -> RepositoryPath) throws {
        self.readers = readers
        for (number, reader) in readers.enumerated() {
            try reader.checkForServing()
            for image in reader.images { try add(image, number, naming) }
        }
        try addReferrers()
    }

    private mutating func add(
        _ image: LayoutImage,
        _ number: Int,
        _ naming: (Repository) throws -> RepositoryPath
    ) throws {
        let reader = readers[number]
        let reference = try reader.reference(of: image)
        if paths[reference.repository] == nil { paths[reference.repository] = try naming(reference.repository) }
        repositories[reference.repository, default: BundleRepository()]
            .add(image.descriptor.digest, from: reader, number: number)
        // As in a push: a name with a digest has no other name.
        guard reference.digest == nil else { return }
        try addTag(reference.tag ?? .latest, to: reference.repository, image, reader)
    }

    private mutating func addTag(
        _ tag: Tag,
        to repository: Repository,
        _ image: LayoutImage,
        _ reader: LayoutReader
    ) throws(BundleError) {
        let tagged = BundleError.TaggedImage(name: image.name, digest: image.descriptor.digest, bundle: reader.path)
        if let other = repositories[repository, default: BundleRepository()].addTag(tag, tagged) {
            let name = "\(paths[repository]?.description ?? repository.path):\(tag)"
            throw BundleError(code: .nameCollision(name: name, other, tagged), path: reader.path)
        }
    }

    /// Adds signatures and the like: to the repository in which they were found, where that is known and is here; else
    /// wherever their subject is.
    private mutating func addReferrers() throws {
        var placed: Set<Digest> = []
        var referrers: [Digest: [(digest: Digest, number: Int)]] = [:]
        for (number, reader) in readers.enumerated() {
            for entry in reader.unnamed {
                if let repository = entry.foundIn, repositories[repository] != nil {
                    repositories[repository]?.add(entry.digest, from: reader, number: number)
                    placed.insert(entry.digest)
                    guard let tag = entry.foundAs else { continue }
                    let image = LayoutImage(name: "\(repository):\(tag)", descriptor: entry)
                    try addTag(tag, to: repository, image, reader)
                } else if let subject = entry.annotatedSubject {
                    referrers[subject, default: []].append((entry.digest, number))
                }
            }
        }
        for (number, reader) in readers.enumerated() {
            for (digest, document) in reader.documents where !placed.contains(digest) {
                guard let subject = document.subject?.digest else { continue }
                referrers[subject, default: []].append((digest, number))
            }
        }
        guard !referrers.isEmpty else { return }
        for name in repositories.keys { addReferrers(referrers, to: name) }
    }

    /// Adds the referrers of a repository's manifests, and theirs.
    private mutating func addReferrers(_ referrers: [Digest: [(digest: Digest, number: Int)]], to name: Repository) {
        // Taken out, so that the one copy is changed in place.
        guard var repository = repositories.removeValue(forKey: name) else { return }
        var pending = Array(repository.documents.keys)
        while let subject = pending.popLast() {
            for referrer in referrers[subject] ?? [] {
                pending += repository.add(referrer.digest, from: readers[referrer.number], number: referrer.number)
            }
        }
        repositories[name] = repository
    }
}

extension LayoutReader {
    /// Refuses what a push refuses.
    fileprivate func checkForServing() throws(BundleError) {
        if let problem = problems.first {
            throw BundleError(code: .damaged(problem, others: problems.count - 1), path: path)
        }
        guard !images.isEmpty else { throw BundleError(code: .noNamedImage, path: path) }
    }

    /// What an image is called.
    fileprivate func reference(of image: LayoutImage) throws(BundleError) -> Reference {
        guard image.namesRepository else { throw BundleError(code: .bareTag(image.name), path: path) }
        do throws(ReferenceError) {
            return try Reference(parsing: image.name)
        } catch {
            throw BundleError(code: .invalidName(error), path: path)
        }
    }
}
