import ImageLayout

extension Report {
    /// Describes the images of a plan.
    ///
    /// - Parameters:
    ///   - resolution: the images.
    ///   - plan: the plan.
    ///   - status: what becomes of them.
    ///   - isSearched: whether it was looked for what refers to them.
    mutating func describe(
        _ resolution: Resolver.Resolution,
        plan: LayoutPlan,
        status: Status,
        searched isSearched: Bool
    ) {
        let found = Dictionary(resolution.images.map { ($0.name, $0) }) { first, _ in first }
        images = plan.images.map { image in
            var entry = Image(describing: image, in: resolution.graph, status: status)
            entry.attempts = found[image.name]?.attempts
            if isSearched {
                entry.referrers = found[image.name]?.referrers.map(Referrer.init)
                entry.referrerCount = found[image.name]?.referrers.manifestCount
            }
            entry.source = found[image.name]?.source?.description
            return entry
        }
        failures = resolution.failures
        bundleByteCount = plan.byteCount
        totals = Totals(
            blobCount: plan.blobs.count,
            byteCount: plan.blobs.reduce(0) { $0 + $1.descriptor.size }
        )
    }

    /// Says how the run ended: what failed is a part only where the rest was asked for all the same.
    func concluded(keepGoing: Bool, mirrors: MirrorHealth) -> Report {
        var report = self
        report.outcome = failures.isEmpty ? .done : keepGoing && !images.isEmpty ? .partial : .failed
        // What failed for good says itself which mirrors failed.
        if report.outcome != .failed { report.notes += mirrors.notes }
        return report
    }
}

extension Report.Outcome {
    /// The outcome of a run in which some of the images failed.
    init(failures: Int, of count: Int) {
        self = failures == 0 ? .done : failures < count ? .partial : .failed
    }
}

extension Report.Image {
    /// Describes an image whose manifests are known.
    init(describing image: LayoutImage, in graph: ImageGraph, status: Report.Status) {
        self.init(reference: image.name, status: status)
        digest = image.descriptor.digest
        originalDigest = image.subset?.original
        mediaType = image.descriptor.mediaType
        byteCount = graph.byteCount(from: image.descriptor.digest)
        platforms = graph.platforms(of: image.descriptor.digest)?.map(\.description)
    }
}
