import RegistryClient

extension Resolver {
    /// A manifest that is needed, where it may be had, and the images (by index) that need it.
    struct Fetch: Sendable {
        let target: ManifestTarget
        let expected: Descriptor?
        var sources: [Origin]
        var images: [Int]

        /// Whether nobody has to be asked what it is.
        var isKnownByDigest: Bool { if case .digest = target { true } else { false } }
    }

    /// What became of it.
    struct Fetched: Sendable {
        let fetch: Fetch
        var result: Result<Document, any Error>
        /// How often it was tried.
        var attempts = 0
        /// How often a registry was asked for the manifest, by registry.
        var requestCounts: [String: Int] = [:]
        /// Where it was found; nil where no registry was asked.
        var source: Repository?
    }

    /// The walk from the tops of the images downwards, one level at a time.
    struct Walk {
        private let references: [Reference]
        private let choice: PlatformChoice
        private var graph = ImageGraph()
        private var tops: [Int: Descriptor] = [:]
        private var attempts: [Int: Int] = [:]
        private var found: [Int: Repository] = [:]
        /// Where each image may be had.
        private(set) var origins: [Int: Origin] = [:]
        private var failures: [Int: any Error] = [:]
        /// How many manifests were asked for, by registry.
        private(set) var requestCounts: [String: Int] = [:]
        /// For each image, the manifests that were met, and those of the level that was fetched last.
        private var met: [Int: Set<Digest>] = [:]
        private var frontier: [Int: [Digest]] = [:]
        /// The level that is fetched now; the tops are the first.
        private var level = 1

        init(references: [Reference], choice: PlatformChoice) {
            self.references = references
            self.choice = choice
        }

        /// Says where an image may be had.
        mutating func setOrigin(of image: Int, _ origin: Origin) { origins[image] = origin }

        /// Takes what was fetched of the present level.
        mutating func take(_ results: [Fetched]) {
            for fetched in results {
                requestCounts.merge(fetched.requestCounts, uniquingKeysWith: +)
                for image in fetched.fetch.images {
                    if level == 1 { (attempts[image], found[image]) = (fetched.attempts, fetched.source) }
                    switch fetched.result {
                    case .failure(let error): fail(image, error)
                    case .success(let document): take(document, for: image)
                    }
                }
            }
        }

        private mutating func take(_ document: Document, for image: Int) {
            let digest = document.descriptor.digest
            graph.documents[digest] = document
            if tops[image] == nil {
                tops[image] = document.descriptor
                met[image] = [digest]
            }
            guard level <= ImageIndex.nestingLimit || document.children.isEmpty else {
                return refuse(image, .nestedTooDeep)
            }
            frontier[image, default: []].append(digest)
        }

        /// Goes down a level.
        ///
        /// - Returns: what is to be fetched of it, which may be nothing where all is known from other images; nil where
        ///   there is no such level.
        mutating func nextLevel() -> [Fetch]? {
            level += 1
            var order: [Digest] = []
            var needed: [Digest: Fetch] = [:]
            let last = frontier
            frontier = [:]
            for (image, digests) in last.sorted(by: { $0.key < $1.key }) where failures[image] == nil {
                for child in digests.flatMap({ graph.documents[$0].map(choice.children) ?? [] })
                where met[image, default: []].insert(child.digest).inserted {
                    if let known = graph.documents[child.digest] {
                        take(known, for: image)
                    } else {
                        if needed[child.digest] == nil { order.append(child.digest) }
                        add(child, for: image, to: &needed)
                    }
                }
                let count = met[image, default: []].count - 1
                if count > ImageIndex.childLimit { refuse(image, .tooManyChildren(count: count)) }
            }
            let fetches = order.compactMap { needed[$0] }.compactMap { fetch -> Fetch? in
                var fetch = fetch
                fetch.images.removeAll { failures[$0] != nil }
                return fetch.images.isEmpty ? nil : fetch
            }
            return fetches.isEmpty && frontier.isEmpty ? nil : fetches
        }

        private func add(_ child: Descriptor, for image: Int, to needed: inout [Digest: Fetch]) {
            guard let source = origins[image] else { return }
            guard var fetch = needed[child.digest] else {
                needed[child.digest] = Fetch(
                    target: .digest(child.digest),
                    expected: child,
                    sources: [source],
                    images: [image]
                )
                return
            }
            if fetch.sources.count < BlobSources.limit, !fetch.sources.contains(source) { fetch.sources.append(source) }
            fetch.images.append(image)
            needed[child.digest] = fetch
        }

        private mutating func refuse(_ image: Int, _ code: DocumentError.Code) {
            fail(image, DrayageError(.other, "resolving \(references[image])", underlying: DocumentError(code)))
        }

        /// Notes that an image cannot be had; what is noted first of one counts.
        mutating func fail(_ image: Int, _ error: any Error) {
            failures[image] = failures[image] ?? error
        }

        var resolution: Resolution {
            var resolution = Resolution(graph: graph, choice: choice)
            for (index, reference) in references.enumerated() {
                if let error = failures[index] {
                    resolution.failures.append(.init(subject: reference.description, error: error))
                } else if let top = tops[index], let origin = origins[index] {
                    let image = Image(
                        reference: reference,
                        top: top,
                        attempts: attempts[index] ?? 0,
                        origin: origin,
                        source: found[index]
                    )
                    resolution.images.append(image)
                }
            }
            return resolution
        }
    }
}
