import ImageLayout

extension Resolver.Resolution {
    /// Gives every image of which something was left out a complete index of what is there.
    ///
    /// What refers to an index that is replaced stays behind: it says nothing of the new one.
    ///
    /// - Returns: lines about what stays behind.
    mutating func strip() -> [String] {
        var stripped: [Digest: Document] = [:]
        var notes: [String] = []
        images = images.map { image in
            guard let subset = image.subset, subset.original == nil else { return image }
            do {
                guard let document = try strip(image.top.digest, &stripped) else { return image }
                var image = image
                (image.top, image.subset) = (
                    document.descriptor, LayoutSubset(platforms: subset.platforms, original: image.top.digest)
                )
                notes += Self.dropReferrers(of: &image, besides: stripped)
                return image
            } catch {
                failures.append(.init(subject: image.reference.description, error: error))
                return nil
            }
        }.compactMap(\.self)
        return notes
    }

    /// The index with what is there of it.
    ///
    /// - Returns: nil where nothing was left out.
    private mutating func strip(_ digest: Digest, _ stripped: inout [Digest: Document]) throws -> Document? {
        if let known = stripped[digest] { return known }
        guard let document = graph.documents[digest], case .index = document.content else { return nil }
        let taken = Set(choice.children(of: document).map(\.digest))
        var children: [Descriptor?] = []
        for child in document.children {
            let isThere = taken.contains(child.digest) && graph.documents[child.digest] != nil
            children.append(isThere ? try strip(child.digest, &stripped)?.descriptor ?? child : nil)
        }
        guard zip(children, document.children).contains(where: { $0?.digest != $1.digest }) else { return nil }
        let smaller = try document.keeping(children)
        stripped[digest] = smaller
        graph.documents[smaller.descriptor.digest] = smaller
        return smaller
    }

    /// Takes away what refers to indexes that were replaced, and what refers to that.
    private static func dropReferrers(
        of image: inout Resolver.Image,
        besides stripped: [Digest: Document]
    ) -> [String] {
        var gone = Set(stripped.keys)
        var dropped: Set<Digest> = []
        while true {
            let left = image.referrers.filter { !gone.contains($0.subject) }
            guard left.count < image.referrers.count else { break }
            let others = Set(left.map(\.descriptor.digest))
            for referrer in image.referrers where gone.contains(referrer.subject) {
                dropped.insert(referrer.descriptor.digest)
                if !others.contains(referrer.descriptor.digest) { gone.insert(referrer.descriptor.digest) }
            }
            image.referrers = left
        }
        guard !dropped.isEmpty else { return [] }
        let isOne = dropped.count == 1
        let platforms = image.subset?.platforms.map(\.description).joined(separator: ", ") ?? ""
        return [
            "\(image.reference): \(isOne ? "1 manifest refers" : "\(dropped.count) manifests refer") to the index that it "
                + "has with all platforms, not to the one with \(platforms), and \(isOne ? "stays" : "stay") behind; "
                + "--sparse keep takes \(isOne ? "it" : "them") along"
        ]
    }
}
