import ImageLayout

extension Report {
    /// Describes a push: what it did, or what it would do where it has no outcome.
    init(pushing plan: PushPlan, graph: ImageGraph, outcome done: PushReplay.Outcome?) {
        self.init(command: "push")
        for planned in plan.images {
            var image = Image(describing: planned.image, in: graph, status: done == nil ? .planned : .pushed)
            image.target = planned.name
            image.referrerCount = planned.referrers.manifestCount
            switch planned.action {
            case .create, .fail: break
            case .upToDate: image.status = .upToDate
            case .overwrite(let digest): image.previousDigest = digest
            case .skip(let digest):
                image.previousDigest = digest
                image.status = .skipped
            }
            if let error = planned.failure ?? done?.failures[planned.name] {
                image.status = .failed
                failures.append(Failure(subject: planned.name, error: error))
            }
            image.attempts = done?.attempts[planned.name]
            images.append(image)
        }
        let present = plan.present.map { Blob($0.descriptor, .present, in: $0.home) }
        let moved =
            done?.records.sorted
            ?? plan.blobs.flatMap { blob in
                ([blob.home] + blob.mounts).map { Blob(blob.descriptor, .planned, in: $0) }
            }
        notes += plan.notes
        blobs = (present + moved).sorted { ($0.digest, $0.target ?? "") < ($1.digest, $1.target ?? "") }
        let uploads = plan.uploads
        var totals = Totals()
        totals.blobCount = plan.blobs.count
        totals.byteCount = plan.blobs.reduce(0) { $0 + $1.descriptor.size }
        totals.uploadCount = done?.uploadCount ?? uploads.count
        totals.uploadByteCount = done?.uploadByteCount ?? uploads.reduce(0) { $0 + $1.descriptor.size }
        totals.mountCount = done?.mountCount ?? plan.blobs.reduce(0) { $0 + $1.mounts.count }
        self.totals = totals
        outcome = Outcome(failures: failures.count, of: images.count)
    }
}
