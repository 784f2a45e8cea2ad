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

    /// Finds out which tags mean something else by now than when the bundle was planned.
    ///
    /// - Returns: a line about each. Where no registry answers nothing is said: whether one is needed shows later.
    /// - Throws: `CancellationError` alone.
    func movedTags(of images: [Resolver.Image], resolver: Resolver) async throws -> [String] {
        guard !refreshes else { return [] }
        let planned = images.filter { pinned([$0.reference])[$0.reference] != nil }
        let lines = try await collectConcurrently(planned, limit: resolver.parallelism) { image -> String? in
            let (reference, digest) = (image.reference, image.top.digest)
            let keeps = "this bundle goes on with \(digest), as it was planned; --refresh plans it again"
            var now: Digest?
            for place in image.origin.places {
                do {
                    let target = ManifestTarget(reference)
                    now = try await resolver.client.headManifest(target, in: place.repository, retryLimit: 0)
                } catch is RegistryError {
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

extension Resolver.Resolution {
    /// What was asked for and what it means.
    func requests(for references: [Reference]) -> [LayoutRequest] {
        let digests = Dictionary(images.map { ($0.reference.description, $0.top.digest) }) { first, _ in first }
        return Set(references.map(\.description)).sorted().map { LayoutRequest(reference: $0, digest: digests[$0]) }
    }
}
