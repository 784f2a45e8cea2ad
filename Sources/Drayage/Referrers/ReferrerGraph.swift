import ImageLayout
import RegistryClient
import Synchronization

/// What of a bundle refers to what.
final class ReferrerGraph: Sendable {
    /// What decides: many names may be of one image.
    private struct Key: Hashable {
        let top: Digest
        let repository: Repository?
    }

    private let bySubject: [Digest: [LayoutReferrer]]
    private let graph: ImageGraph
    private let found = Mutex<[Key: [LayoutReferrer]]>([:])

    /// Takes the referrers of a bundle, and its manifests.
    init(_ referrers: [LayoutReferrer], graph: ImageGraph) {
        bySubject = Dictionary(grouping: referrers, by: \.subject)
        self.graph = graph
    }

    /// What refers to an image, to what is beneath it, or to what refers to these.
    ///
    /// What was found in another repository belongs to the image there.
    func referrers(of image: LayoutImage) -> [LayoutReferrer] {
        guard !bySubject.isEmpty else { return [] }
        let key = Key(
            top: image.descriptor.digest,
            repository: (try? Reference(parsing: image.name))?.repository
        )
        if let known = found.withLock({ $0[key] }) { return known }
        var result: [LayoutReferrer] = []
        var pending = graph.documents(from: key.top).map(\.descriptor.digest)
        var met = Set(pending)
        while let digest = pending.popLast() {
            for referrer in bySubject[digest] ?? []
            where referrer.repository == nil || key.repository == nil || referrer.repository == key.repository {
                result.append(referrer)
                pending += graph.documents(from: referrer.descriptor.digest).map(\.descriptor.digest)
                    .filter { met.insert($0).inserted }
            }
        }
        let folded = result.folded
        found.withLock { $0[key] = folded }
        return folded
    }
}
