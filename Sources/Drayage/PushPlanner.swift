import ImageLayout
import RegistryClient

/// Finds out what the target has, and decides what becomes of each image, referrer and blob.
struct PushPlanner: Sendable {
    let graph: ImageGraph
    let client: RegistryClient
    let parallelism: Int
    let progress: ProgressHandler

    /// Makes the plan.
    ///
    /// - Parameters:
    ///   - wanted: the images, with their names in the target.
    ///   - options: what becomes of what is there.
    ///   - answers: what names have in the target, where that was asked already.
    ///   - holders: repositories of the target's registry that are known to have blobs.
    /// - Returns: the plan.
    /// - Throws: ``DrayageError`` for tags that may not be overwritten, `RegistryError` where no other image would fare
    ///   better, `CancellationError`.
    func plan(
        _ wanted: [PushPlan.Image],
        options: Pusher.Options,
        answers: [String: Answer] = [:],
        holders: [Digest: [Repository]] = [:]
    ) async throws -> PushPlan {
        progress(.resolving(count: wanted.count))
        var images = try await decideActions(wanted, answers, policy: options.onExisting)
        var notes: [String] = []
        if !options.isDryRun {
            let acceptance = SparseAcceptance(graph: graph, client: client, progress: progress)
            notes = try await acceptance.check(&images)
        } else if let sparse = images.first(where: { $0.action.sends && $0.image.isSparse }) {
            notes = [
                "whether \(sparse.repository.registry) takes sparse indexes shows only in a push; see drayage check --write"
            ]
        }
        var referrers: [PushPlan.Referrer] = []
        if options.includesReferrers {
            let decided = try await decideReferrers(of: images, policy: options.onExisting)
            referrers = decided.sent
            notes += decided.notes
        }
        let blobs = try await PushPlan.blobs(
            for: images,
            referrers: referrers,
            graph: graph,
            holders: holders,
            limit: parallelism
        ) {
            try await has($0, in: $1)
        }
        return PushPlan(
            images: images,
            referrers: referrers,
            notes: notes,
            blobs: blobs.moved,
            present: blobs.present
        )
    }

    /// What a name has in the target, nil where it is free; or why the target would not say it.
    typealias Answer = Result<Digest?, RegistryError>

    /// Asks what names have in the target.
    ///
    /// - Returns: the answers, by name.
    /// - Throws: `RegistryError` where no other image would fare better, `CancellationError`.
    func answers(_ places: [(repository: Repository, target: ManifestTarget)]) async throws -> [String: Answer] {
        let answers = try await collectConcurrently(places, limit: parallelism) { repository, target in
            (target.name(in: repository), try await existingDigest(target, in: repository))
        }
        return Dictionary(answers) { first, _ in first }
    }

    private func decideActions(
        _ images: [PushPlan.Image],
        _ known: [String: Answer],
        policy: Pusher.ExistingTagPolicy
    ) async throws -> [PushPlan.Image] {
        let asked = images.filter { known[$0.name] == nil }.map { ($0.repository, $0.target) }
        let answers = known.merging(try await answers(asked)) { known, _ in known }
        var result = images
        var conflicts: [String] = []
        for (index, image) in images.enumerated() {
            switch answers[image.name] {
            case nil: break
            case .failure(let error):
                result[index].action = .fail
                result[index].failure = error
                progress(.imageFailed(name: image.name, message: error.description))
            case .success(nil):
                break
            case .success(image.image.descriptor.digest):
                result[index].action = .upToDate
            case .success(let digest?):
                result[index].action = policy == .overwrite ? .overwrite(digest) : .skip(digest)
                conflicts.append(
                    "\(image.name) exists with the digest \(digest), the bundle has \(image.image.descriptor.digest)"
                )
            }
        }
        guard policy != .fail || conflicts.isEmpty else {
            throw DrayageError(.tagExists, conflicts.sorted().joined(separator: "\n"))
        }
        return result
    }

    /// Finds out what of all that refers to the images is there.
    ///
    /// - Throws: ``DrayageError`` for tags that are there with other digests and may not be overwritten.
    private func decideReferrers(
        of images: [PushPlan.Image],
        policy: Pusher.ExistingTagPolicy
    ) async throws -> (sent: [PushPlan.Referrer], notes: [String]) {
        let known = Set(images.filter { $0.action == .upToDate }.map(\.name))
        let referrers = PushPlan.referrers(of: images)
        let found = try await collectConcurrently(referrers.indices, limit: parallelism) { index in
            let referrer = referrers[index]
            // Where the image is not, neither is this; and to put it again does no harm.
            let mayBeThere = referrer.hasName || referrer.images.contains(where: known.contains)
            return (index, mayBeThere ? try await existingDigest(of: referrer) : nil)
        }
        var result = referrers
        var left: Set<Int> = []
        var conflicts: [String] = []
        for case (let index, let digest?) in found {
            let referrer = referrers[index]
            result[index].isPresent = digest == referrer.descriptor.digest
            guard !result[index].isPresent else { continue }
            // It is named after the digest of its image, so what is there was signed by somebody inside, and is not ours
            // to overwrite.
            left.insert(index)
            conflicts.append(
                "\(referrer.name) exists with the digest \(digest), the bundle has \(referrer.descriptor.digest)"
            )
        }
        guard policy != .fail || conflicts.isEmpty else {
            throw DrayageError(.tagExists, conflicts.sorted().joined(separator: "\n"))
        }
        let sent = result.indices.filter { !left.contains($0) }.map { result[$0] }
        return (sent, conflicts.sorted().map { "\($0); it stays as it is there" })
    }

    private func existingDigest(of referrer: PushPlan.Referrer) async throws -> Digest? {
        do {
            return try await client.headManifest(referrer.target, in: referrer.repository, for: .push)
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            // Where the target will not say, putting it tells why.
            return nil
        }
    }

    /// Whether the target has a blob.
    ///
    /// Where it will not say, the upload will tell why.
    private func has(_ blob: Descriptor, in repository: Repository) async throws -> Bool {
        do {
            return try await client.hasBlob(blob, in: repository, for: .push)
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            return false
        }
    }

    /// What a name has in the target.
    ///
    /// - Throws: `RegistryError` where no other image would fare better, `CancellationError`.
    private func existingDigest(_ target: ManifestTarget, in repository: Repository) async throws -> Answer {
        do {
            return .success(try await client.headManifest(target, in: repository, for: .push))
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            return .failure(error)
        }
    }
}
