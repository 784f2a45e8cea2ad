import ImageLayout
import RegistryClient
import Synchronization

/// Compares images with what a registry has under their names.
struct TargetCheck: Sendable {
    let graph: ImageGraph
    let client: RegistryClient
    let parallelism: Int

    private enum Item: Sendable {
        case name(Int)
        case manifest(Digest, Repository)
        case tag(Tag, Digest, Repository)
        case blob(Descriptor, Repository)
    }

    /// What is missing or different, by the image's index.
    ///
    /// - Throws: `CancellationError` alone.
    func failures(of images: [PushPlan.Image]) async throws -> [Int: [any Error]] {
        // By the item's place, so that what is told does not depend on which answer came first.
        let failures = Mutex<[Int: [Int: any Error]]>([:])
        var items: [Item] = []
        var needers: [String: [Int]] = [:]
        for (index, image) in images.enumerated() {
            items.append(.name(index))
            for item in beneath(image) {
                if needers[key(item), default: []].isEmpty { items.append(item) }
                needers[key(item), default: []].append(index)
            }
        }
        let indexes = needers
        try await forEachConcurrently(items.enumerated(), limit: parallelism) { place, item in
            do {
                try await check(item, images)
            } catch let error as CancellationError {
                throw error
            } catch {
                let affected = if case .name(let index) = item { [index] } else { indexes[key(item)] ?? [] }
                failures.withLock { failures in
                    for index in affected { failures[index, default: [:]][place] = error }
                }
            }
            return []
        }
        return failures.withLock { $0.mapValues { $0.sorted { $0.key < $1.key }.map(\.value) } }
    }

    private func beneath(_ image: PushPlan.Image) -> [Item] {
        let top = image.image.descriptor.digest
        let own = Array(graph.documents(from: top).dropFirst())
        let referrers = image.referrers.flatMap { graph.documents(from: $0.descriptor.digest) }
        let tops = [top] + image.referrers.map(\.descriptor.digest)
        let tags = image.referrers.compactMap { referrer in
            referrer.tag.map { Item.tag($0, referrer.descriptor.digest, image.repository) }
        }
        return (own + referrers).map { .manifest($0.descriptor.digest, image.repository) } + tags
            + tops.flatMap(graph.blobs).map { .blob($0, image.repository) }
    }

    private func key(_ item: Item) -> String {
        switch item {
        case .name(let index): "\(index)"
        case .manifest(let digest, let repository): "\(repository)@\(digest)"
        case .tag(let tag, let digest, let repository): "\(repository):\(tag)@\(digest)"
        case .blob(let blob, let repository): "\(repository)#\(blob.digest)"
        }
    }

    private func check(_ item: Item, _ images: [PushPlan.Image]) async throws {
        switch item {
        case .name(let index):
            let image = images[index]
            let expected = image.image.descriptor.digest
            guard let actual = try await client.headManifest(image.target, in: image.repository) else {
                throw DrayageError(.unverified, "\(image.name) is missing; the bundle has it with \(expected)")
            }
            guard actual == expected else {
                throw DrayageError(.unverified, "\(image.name) has the digest \(actual), the bundle has \(expected)")
            }
        case .manifest(let digest, let repository):
            guard try await client.headManifest(.digest(digest), in: repository) != nil else {
                throw DrayageError(.unverified, "the manifest \(repository)@\(digest) is missing")
            }
        case .tag(let tag, let expected, let repository):
            let actual = try await client.headManifest(.tag(tag), in: repository)
            guard actual == expected else {
                let what = actual.map { "has the digest \($0)" } ?? "is missing"
                throw DrayageError(.unverified, "\(repository):\(tag) \(what), the bundle has it with \(expected)")
            }
        case .blob(let blob, let repository):
            guard try await client.hasBlob(blob, in: repository) else {
                throw DrayageError(.unverified, "the blob \(repository)@\(blob.digest) is missing")
            }
        }
    }
}
