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
                return try LayoutPlan(
                    images: images.map(\.layoutImage),
                    referrers: images.flatMap(\.referrers),
                    documents: graph.documents,
                    foreignLayers: graph.foreignLayers
                )
            } catch {
                guard case .conflictingSizes(let digest, _, _) = error.code else { throw error }
                drop(needing: [digest: error])
            }
        }
    }

    /// Lines about the layers that stay with their makers.
    var foreignLayerNotes: [String] {
        guard case .none = graph.foreignLayers else { return [] }
        return images.compactMap { image in
            let layers = Set(graph.documents(from: image.top.digest).flatMap(\.foreignLayers).map(\.digest))
            guard !layers.isEmpty else { return nil }
            let (what, them) = layers.count == 1 ? ("1 layer is", "it") : ("\(layers.count) layers are", "them")
            return "\(image.reference): \(what) left where the maker has \(them); --foreign include takes \(them) along"
        }
    }

    /// Moves the images that need some content to the failures.
    ///
    /// - Parameter content: what cannot be had, with the cause.
    mutating func drop(needing content: [Digest: any Error]) {
        guard !content.isEmpty else { return }
        let graph = graph
        fail { image in
            let documents = image.tops.flatMap(graph.documents)
            let needed = documents.flatMap {
                [$0.descriptor.digest] + ($0.children + graph.blobs(of: $0)).map(\.digest)
            }
            return needed.lazy.compactMap { content[$0] }.first
        }
    }

    /// A bundle has one image of a name: `name:tag` and `name:tag@digest` may not be two.
    mutating func dropNameCollisions() {
        guard Set(images.map(\.name)).count < images.count else { return }
        let digests = Dictionary(grouping: images, by: \.name).mapValues { Set($0.map(\.top.digest)) }
        fail { image in
            let name = image.name
            guard let others = digests[name], others.count > 1 else { return nil }
            let list = others.sorted().map(\.description).joined(separator: " and ")
            return DrayageError(
                .nameCollision,
                "\(name) is asked for with the digests \(list); a bundle has one image of a name"
            )
        }
    }

    /// Moves images to the failures.
    ///
    /// - Parameter causes: why, by their place among the images.
    mutating func fail(_ causes: [Int: any Error]) {
        for (index, error) in causes.sorted(by: { $0.key < $1.key }) {
            failures.append(.init(subject: images[index].reference.description, error: error))
        }
        let left = images.indices.filter { causes[$0] == nil }
        images = left.map { images[$0] }
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
    /// What it is called in a bundle; what is called after its digest goes by the one that it has there.
    var name: String {
        guard reference.tag == nil, reference.digest != nil else { return reference.bundleName }
        return Reference(repository: reference.repository, tag: nil, digest: top.digest).bundleName
    }

    /// The image as it is in a bundle.
    var layoutImage: LayoutImage { LayoutImage(name: name, descriptor: top, subset: subset) }
}
