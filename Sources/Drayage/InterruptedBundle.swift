import ImageLayout
import RegistryClient

/// A bundle that an interrupted run left, and what this run makes of it.
struct InterruptedBundle: Sendable {
    let layout: InterruptedLayout
    /// Whether its tags are looked up again.
    private let refreshes: Bool

    /// Opens what is there of a bundle; nil where there is nothing.
    static func open(for path: String, options: Synchronizer.Options) throws -> InterruptedBundle? {
        try InterruptedLayout.open(for: path).map { InterruptedBundle(layout: $0, refreshes: options.refreshes) }
    }

    /// Refuses to go on with a bundle of other images: whoever asked for them may still want it.
    func requireSame(_ references: [Reference]) throws {
        let (asked, planned) = (Set(references.map(\.description)), Set(layout.requests.map(\.reference)))
        guard !refreshes, asked != planned else { return }
        let differences = [
            (asked.subtracting(planned), "added"), (planned.subtracting(asked), "left out"),
        ]
        .compactMap { names, what in
            names.min().map { "\($0)" + (names.count > 1 ? " and \(names.count - 1) more" : "") + " \(what)" }
        }
        throw DrayageError(
            .other,
            "\(layout.path) is what an interrupted run left of another list: \(differences.joined(separator: "; ")). "
                + "--refresh plans it again and keeps what is still needed; to start over, remove it"
        )
    }

    /// What the references meant when the bundle was planned; a digest that was asked for means itself.
    func pinned(_ references: [Reference]) -> [Reference: Digest] {
        guard !refreshes else { return [:] }
        let digests = Dictionary(layout.requests.map { ($0.reference, $0.digest) }) { first, _ in first }
        return references.filter { $0.digest == nil }.reduce(into: [:]) { pinned, reference in
            if let digest = digests[reference.description] ?? nil { pinned[reference] = digest }
        }
    }

    /// What referred to each image when the bundle was planned.
    ///
    /// Where there was nothing at all, perhaps nobody had looked.
    var plannedReferrers: [PlannedImage: [LayoutReferrer]] {
        guard !refreshes, !layout.plan.referrers.isEmpty else { return [:] }
        let graph = ImageGraph(documents: layout.documents)
        let referrers = ReferrerGraph(layout.plan.referrers, graph: graph)
        return layout.plan.images.reduce(into: [:]) { planned, image in
            if let key = PlannedImage(image) { planned[key] = referrers.referrers(of: image) }
        }
    }

    /// Finds out which tags mean something else by now than when the bundle was planned.
    ///
    /// - Returns: a line about each. Where no registry answers nothing is said: whether one is needed shows later.
    /// - Throws: `CancellationError` alone.
    func movedTags(of images: [Resolver.Image], resolver: Resolver) async throws -> [String] {
        guard !refreshes else { return [] }
        let planned = images.filter { pinned([$0.reference])[$0.reference] != nil }
        let lines = try await collectConcurrently(planned, limit: resolver.parallelism) { image -> String? in
            let (reference, digest) = (image.reference, image.foundDigest)
            let keeps = "this bundle goes on with \(digest), as it was planned; --refresh plans it again"
            var now: Digest?
            let health = resolver.health
            for place in image.origin.places where health.finalFailure(of: place) == nil {
                do {
                    let client = place.client(resolver.client)
                    now = try await client.headManifest(
                        .init(reference),
                        in: place.repository,
                        retryLimit: place.isMirror ? nil : 0
                    )
                    health.note(nil, of: place)
                } catch let error as RegistryError {
                    health.note(error, of: place)
                    if place.isMirror { continue }
                    return nil
                }
                if now != nil { break }
            }
            guard now != digest else { return nil }
            return "\(reference) " + (now.map { "has moved to \($0); " } ?? "is not there any more; ") + keeps
        }
        return lines.compactMap(\.self).sorted()
    }
}

/// An image, and what is taken of it: of what else is the same, the same refers to it.
struct PlannedImage: Hashable {
    private let repository: Repository
    private let digest: Digest
    private let platforms: [PlatformSelector]?
    private let isStripped: Bool

    /// Describes an image as it was found.
    ///
    /// - Parameters:
    ///   - image: the image.
    ///   - strips: whether it is going to have an index of its own.
    init(_ image: Resolver.Image, strips: Bool) {
        repository = image.reference.repository
        digest = image.foundDigest
        platforms = image.subset?.platforms
        isStripped = strips && platforms != nil
    }

    /// Describes an image of a plan; nil where its name is none of ours.
    fileprivate init?(_ image: LayoutImage) {
        guard let reference = try? Reference(parsing: image.name) else { return nil }
        repository = reference.repository
        digest = image.subset?.original ?? image.descriptor.digest
        platforms = image.subset?.platforms
        isStripped = image.subset?.original != nil
    }
}

extension Resolver.Resolution {
    /// What was asked for and what it means.
    func requests(for references: [Reference]) -> [LayoutRequest] {
        let digests = Dictionary(images.map { ($0.reference.description, $0.foundDigest) }) { first, _ in first }
        return Set(references.map(\.description)).sorted().map { LayoutRequest(reference: $0, digest: digests[$0]) }
    }
}
