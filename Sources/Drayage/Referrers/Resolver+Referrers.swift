import ImageLayout
import RegistryClient

extension Resolver {
    /// Adds what refers to the images, and lets only those through that are signed as they must be.
    ///
    /// - Parameters:
    ///   - resolution: the images.
    ///   - planned: images of which it is decided what refers to them.
    ///   - policy: who must have signed which images.
    ///   - areTaken: whether what refers to the images is taken along.
    /// - Returns: lines about what is not as one might expect.
    /// - Throws: `CancellationError` alone.
    func addReferrers(
        to resolution: inout Resolution,
        planned: [PlannedImage: [LayoutReferrer]] = [:],
        policy: SignaturePolicy = SignaturePolicy(),
        areTaken: Bool = true
    ) async throws -> [String] {
        var notes = policy.notes(of: resolution.images.map(\.reference.repository))
        let planned = areTaken ? planned : [:]
        try await take(planned, in: &resolution)
        notes += try await search(&resolution) { image in
            planned[PlannedImage(image, strips: strips)] == nil
                && (areTaken || !policy.keys(for: image.reference.repository).isEmpty)
        }
        try await requireSignatures(in: &resolution, policy, planned)
        if !areTaken { for index in resolution.images.indices { resolution.images[index].referrers = [] } }
        // A request that was cut off is not the image's fault.
        try Task.checkCancellation()
        return notes
    }

    private func search(_ resolution: inout Resolution, where isWanted: (Image) -> Bool) async throws -> [String] {
        try await ReferrerSearch(client: client, parallelism: parallelism, health: health, known: known)
            .run(&resolution, where: isWanted)
    }

    /// Lets only those images through that are signed as they must be.
    private func requireSignatures(
        in resolution: inout Resolution,
        _ policy: SignaturePolicy,
        _ planned: [PlannedImage: [LayoutReferrer]]
    ) async throws {
        guard !policy.isEmpty else { return }
        var failures = try await unsigned(in: &resolution, policy)
        // The signature of an index that was replaced is in no plan, and is looked for.
        let again = failures.keys.sorted().filter {
            planned[PlannedImage(resolution.images[$0], strips: strips)] != nil
        }
        for index in again {
            var searched = resolution
            (searched.images, searched.failures) = ([resolution.images[index]], [])
            _ = try await search(&searched) { _ in true }
            guard !searched.images.isEmpty else { continue }
            failures[index] = try await unsigned(in: &searched, policy)[0]
        }
        resolution.fail(failures)
    }

    /// Gives images what it is decided refers to them.
    private func take(_ planned: [PlannedImage: [LayoutReferrer]], in resolution: inout Resolution) async throws {
        guard !planned.isEmpty else { return }
        let (images, atHand) = (resolution.images, resolution.graph.documents.merging(known) { own, _ in own })
        let found = try await collectConcurrently(images.indices, limit: parallelism) { index in
            let referrers = planned[PlannedImage(images[index], strips: strips)]
            guard let referrers else { return (index, referrers, Result<[Document], any Error>.success([])) }
            return (index, referrers, try await documents(of: referrers, for: images[index], atHand))
        }
        var failures: [Int: any Error] = [:]
        for case (let index, let referrers?, let result) in found {
            resolution.images[index].referrers = referrers
            switch result {
            case .success(let documents):
                for document in documents { resolution.graph.documents[document.descriptor.digest] = document }
                // A lock is a file that anybody may have changed: type and size are what the manifest says.
                resolution.images[index].referrers = referrers.map { referrer in
                    let own = resolution.graph.documents[referrer.descriptor.digest]?.descriptor
                    return LayoutReferrer(
                        descriptor: own ?? referrer.descriptor,
                        subject: referrer.subject,
                        repository: referrer.repository,
                        tag: referrer.tag
                    )
                }
            case .failure(let error):
                failures[index] = DrayageError(
                    .other,
                    "what refers to \(images[index].reference) cannot be had any more; look for it anew, with a new --lock or, "
                        + "for an interrupted bundle, with --refresh",
                    underlying: error
                )
            }
        }
        resolution.fail(failures)
    }

    /// Fetches what is known to refer to an image, with everything beneath, as far as it is not at hand.
    ///
    /// - Throws: `CancellationError` alone.
    private func documents(
        of referrers: [LayoutReferrer],
        for image: Image,
        _ documentsAtHand: [Digest: Document]
    ) async throws -> Result<
        [Document], any Error
    > {
        do {
            var documents: [Document] = []
            var seen: Set<Digest> = []
            var level = referrers.map(\.descriptor.digest).filter { seen.insert($0).inserted }
            for _ in 0...ImageIndex.nestingLimit where !level.isEmpty {
                guard seen.count <= ImageIndex.childLimit else {
                    throw DrayageError(.other, "more than \(ImageIndex.childLimit) manifests refer to it")
                }
                let fetched = try await collectConcurrently(level, limit: parallelism) { digest in
                    if let atHand = documentsAtHand[digest] { return atHand }
                    return try await health.ask(image.origin.places) { place in
                        try await place.client(client).fetchManifest(.digest(digest), in: place.repository)
                    }
                }
                documents += fetched
                level = fetched.flatMap(\.children).map(\.digest).filter { seen.insert($0).inserted }
            }
            guard level.isEmpty else { throw DocumentError(.nestedTooDeep) }
            return .success(documents)
        } catch let error as CancellationError {
            throw error
        } catch {
            return .failure(error)
        }
    }
}
