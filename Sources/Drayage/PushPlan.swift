import ImageLayout
import RegistryClient

/// What a push will do: made from the bundle and what the target has, before any byte moves.
struct PushPlan: Sendable {
    /// What becomes of one image.
    enum Action: Hashable, Sendable {
        /// The target has it under this name already.
        case upToDate
        /// The name is free.
        case create
        /// The name has another digest, which it loses.
        case overwrite(Digest)
        /// The name has another digest, which it keeps.
        case skip(Digest)
        /// The target would not say what it has there.
        case fail

        /// Whether the image is sent.
        var sends: Bool {
            switch self {
            case .create, .overwrite: true
            case .upToDate, .skip, .fail: false
            }
        }
    }

    /// One image and its name in the target.
    struct Image: Sendable {
        let image: LayoutImage
        let repository: Repository
        let target: ManifestTarget
        var action = Action.create
        /// Why the image cannot be sent, where that is known already.
        var failure: (any Error)?
        /// What of the bundle refers to it.
        var referrers: [LayoutReferrer] = []

        var name: String { target.name(in: repository) }
    }

    /// How one blob gets to every repository that needs it.
    struct Blob: Sendable {
        let descriptor: Descriptor
        /// The repository that has it or is the first to get it; the others mount it from there.
        let home: Repository
        /// Whether ``home`` does not have it yet.
        var needsUpload: Bool
        /// The other repositories that need it.
        let mounts: [Repository]
    }

    /// What refers to images, and its place in the target.
    struct Referrer: Sendable {
        let descriptor: Descriptor
        let subject: Digest
        let repository: Repository
        let target: ManifestTarget
        /// Whether it is there already.
        var isPresent = false
        /// The images that it refers to, by their names in the target.
        var images: [String]

        /// Whether it is found by what it is called, and not by what it refers to.
        var hasName: Bool { if case .tag = target { true } else { false } }
    }

    var images: [Image]
    /// What refers to them.
    var referrers: [Referrer] = []
    /// Lines about what is left as it is.
    var notes: [String] = []
    /// The blobs that have to be uploaded or mounted.
    var blobs: [Blob]
    /// The blobs that were asked for and are where they are needed.
    var present: [Blob] = []

    /// The images that are sent.
    var sent: [Image] { images.filter(\.action.sends) }
    /// The blobs whose bytes move.
    var uploads: [Blob] { blobs.filter(\.needsUpload) }
}

extension PushPlan {
    /// Gives every image its name in the target.
    ///
    /// - Throws: ``DrayageError`` where two images would get one name, or a name is impossible.
    static func images(of reader: LayoutReader, mapping: NameMapping) throws -> [Image] {
        guard !reader.images.isEmpty else {
            throw DrayageError(.other, "\(reader.path) holds no image with a name, so there is no name to give it")
        }
        let referrers = ReferrerGraph(reader.referrers, graph: ImageGraph(of: reader))
        let sources = try reader.images.map { ($0.name, try $0.reference(in: reader.path)) }
        return try zip(reader.images, places(of: sources, mapping: mapping)).map { image, place in
            Image(
                image: image,
                repository: place.repository,
                target: place.target,
                referrers: referrers.referrers(of: image)
            )
        }
    }

    /// Finds the place of each image in the target.
    ///
    /// - Parameters:
    ///   - sources: the images, with what messages call them.
    ///   - mapping: how they are named there.
    /// - Returns: the places, in the same order.
    /// - Throws: ``DrayageError`` where two images would get one name, or a name is impossible.
    static func places(
        of sources: [(name: String, reference: Reference)],
        mapping: NameMapping
    ) throws -> [(repository: Repository, target: ManifestTarget)] {
        var owners: [String: String] = [:]
        return try sources.map { source, reference in
            let repository = try mapping.repository(for: reference.repository)
            let target = ManifestTarget(reference)
            let name = target.name(in: repository)
            if let owner = owners.updateValue(source, forKey: name) {
                throw DrayageError(
                    .nameCollision,
                    "\(owner) and \(source) would both become \(name); --keep-host keeps them apart"
                )
            }
            return (repository, target)
        }
    }

    /// Decides where each blob goes.
    ///
    /// - Parameters:
    ///   - images: the images, with what becomes of them.
    ///   - referrers: what refers to them.
    ///   - graph: the manifests of the bundle.
    ///   - holders: repositories of the registry that are known to have blobs, besides those of the images.
    ///   - limit: how many questions are asked at once.
    ///   - has: asks the target whether a repository has a blob. Only blobs that no repository is known to have are
    ///     asked for, once each.
    /// - Returns: the blobs that have to be uploaded or mounted, and those that are there, in the order of their digests.
    /// - Throws: what `has` throws.
    static func blobs(
        for images: [Image],
        referrers: [Referrer],
        graph: ImageGraph,
        holders: [Digest: [Repository]] = [:],
        limit: Int,
        has: @escaping @Sendable (Descriptor, Repository) async throws -> Bool
    ) async throws -> (moved: [Blob], present: [Blob]) {
        var order: [Descriptor] = []
        var needed: [Digest: [Repository]] = [:]
        var known = holders
        var existing: Set<Repository> = []
        for image in images {
            if image.action != .create, image.action != .fail { existing.insert(image.repository) }
        }
        let tops =
            images.map { ($0.image.descriptor.digest, $0.repository, $0.action == .upToDate, $0.action.sends) }
            + referrers.map { ($0.descriptor.digest, $0.repository, $0.isPresent, !$0.isPresent) }
        for (top, repository, isThere, isSent) in tops where isThere || isSent {
            for blob in graph.blobs(from: top) {
                guard !isThere else {
                    known[blob.digest, default: []].append(repository)
                    continue
                }
                if needed[blob.digest] == nil { order.append(blob) }
                if needed[blob.digest]?.contains(repository) != true {
                    needed[blob.digest, default: []].append(repository)
                }
            }
        }
        let steps = order.map { blob -> Blob in
            let holders = known[blob.digest] ?? []
            let repositories = (needed[blob.digest] ?? []).filter { !holders.contains($0) }
            if let holder = holders.first {
                return Blob(descriptor: blob, home: holder, needsUpload: false, mounts: repositories)
            }
            // A repository that exists already is the likeliest to have an older image's layers.
            let home = repositories.first(where: existing.contains) ?? repositories[0]
            return Blob(
                descriptor: blob,
                home: home,
                needsUpload: true,
                mounts: repositories.filter { $0 != home }
            )
        }
        let asked = try await collectConcurrently(steps, limit: limit) { step in
            var step = step
            if step.needsUpload { step.needsUpload = try await !has(step.descriptor, step.home) }
            return step
        }
        let sorted = asked.sorted { $0.descriptor.digest < $1.descriptor.digest }
        let isMoved = { (blob: Blob) in blob.needsUpload || !blob.mounts.isEmpty }
        return (sorted.filter(isMoved), sorted.filter { !isMoved($0) })
    }
}
