import ImageLayout

extension Resolver.Resolution {
    /// Lays the bundle of the images out.
    ///
    /// Images that contradict each other cannot be in one bundle; they become failures, and the others stay.
    ///
    /// - Returns: the plan for the images that are left.
    /// - Throws: `LayoutError` when all together is too large for a file.
    mutating func layOut() throws -> LayoutPlan {
        dropNameCollisions()
        while true {
            do {
                return try LayoutPlan(images: images.map(\.layoutImage), documents: graph.documents)
            } catch {
                guard case .conflictingSizes(let digest, _, _) = error.code else { throw error }
                drop(needing: [digest: error])
            }
        }
    }

    /// Moves the images that need some content to the failures.
    ///
    /// - Parameter content: what cannot be had, with the cause.
    mutating func drop(needing content: [Digest: any Error]) {
        guard !content.isEmpty else { return }
        let graph = graph
        fail { image in
            let documents = graph.documents(from: image.top.digest)
            let needed = documents.flatMap { [$0.descriptor.digest] + ($0.children + $0.blobs).map(\.digest) }
            return needed.lazy.compactMap { content[$0] }.first
        }
    }

    /// A bundle has one image of a name: `name:tag` and `name:tag@digest` may not be two.
    private mutating func dropNameCollisions() {
        let digests = Dictionary(grouping: images, by: \.reference.bundleName).mapValues { Set($0.map(\.top.digest)) }
        fail { image in
            let name = image.reference.bundleName
            guard let others = digests[name], others.count > 1 else { return nil }
            let list = others.sorted().map(\.description).joined(separator: " and ")
            return DrayageError(
                .nameCollision,
                "\(name) is asked for with the digests \(list); a bundle has one image of a name"
            )
        }
    }

    private mutating func fail(_ cause: (Resolver.Image) -> (any Error)?) {
        images.removeAll { image in
            guard let error = cause(image) else { return false }
            failures.append(.init(subject: image.reference.description, error: error))
            return true
        }
    }
}

extension Resolver.Image {
    fileprivate var layoutImage: LayoutImage { LayoutImage(name: reference.bundleName, descriptor: top) }
}
