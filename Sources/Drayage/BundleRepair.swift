import ImageLayout
import RegistryClient
import Synchronization

/// Repairs an open bundle: its manifests first, because they say what else there must be, then its blobs.
struct BundleRepair: Sendable {
    let source: Repairer.Source
    /// The bundle that the damaged parts are had from; nil where they come from registries.
    let donor: LayoutReader?
    let client: RegistryClient
    let routes: Routes
    let health: MirrorHealth
    let parallelism: Int
    let progress: ProgressHandler

    /// What was damaged, and what became of it.
    private struct Outcome {
        var records = BlobRecords()
        var failures: [Digest: any Error] = [:]
        var fetchedByteCount: Int64 = 0
        var isChanged = false
    }

    private final class Record: Sendable {
        let outcome = Mutex(Outcome())
    }

    func run(_ opened: LayoutRepair) async throws -> Report {
        let record = Record()
        let layout = try await repairDocuments(opened, record)
        let verifier = Verifier(progress: progress)
        let blobs = layout.reader.blobs + layout.reader.strayBlobs
        let damaged = try await verifier.damage(of: blobs, in: layout.reader)
        let broken = blobs.filter { damaged[$0.digest] != nil }
        if !broken.isEmpty {
            progress(.planned(blobCount: broken.count, byteCount: broken.reduce(0) { $0 + $1.size }))
            let users = try layout.reader.images(needing: Set(broken.map(\.digest)))
            try await forEachBlobConcurrently(broken, parallelism: parallelism, byteCount: \.size) { blob in
                try await repair(blob, in: layout, neededBy: users[blob.digest] ?? [], record)
                return []
            }
        }
        if record.outcome.withLock({ $0.isChanged }) { try await blocking { try layout.sync() } }
        return try report(of: layout.reader, blobs, record)
    }

    // MARK: - Manifests

    /// Repairs manifests until none is left that can be: each may lead to others.
    private func repairDocuments(_ opened: LayoutRepair, _ record: Record) async throws -> LayoutRepair {
        var layout = opened
        // As deep as indexes go.
        for _ in 0...ImageIndex.nestingLimit {
            // What could not be had once is not asked for again.
            let failed = record.outcome.withLock { Set($0.failures.keys) }
            let damaged = layout.reader.problems.filter { problem in
                problem.code.isDamagedDocument && !(problem.code.damagedDigest.map(failed.contains) ?? false)
            }
            guard !damaged.isEmpty else { break }
            var isBetter = false
            for problem in damaged {
                try Task.checkCancellation()
                guard let digest = problem.code.damagedDigest else { continue }
                if try await repair(digest, problem, in: layout, record) { isBetter = true }
            }
            guard isBetter else { break }
            layout = try await blocking { [layout] in try layout.readAgain() }
        }
        return layout
    }

    private func repair(
        _ digest: Digest,
        _ problem: LayoutError,
        in layout: LayoutRepair,
        _ record: Record
    ) async throws -> Bool {
        let attempts = AttemptCount()
        do {
            let made = madeAgain(digest, in: layout.reader).map { ($0, origin: layout.reader.path) }
            let (document, origin) =
                if let made { made } else {
                    try await document(digest, neededBy: names(problem.images, in: layout.reader), attempts)
                }
            let isFetched = donor == nil && made == nil
            guard try await blocking({ try layout.write(document) }) else { return false }
            var entry = Report.Blob(document.descriptor, .repaired)
            (entry.source, entry.attempts) = (origin, isFetched ? attempts.value : nil)
            entry.movedByteCount = document.descriptor.size
            record.outcome.withLock { [entry] outcome in
                outcome.records.note(entry)
                if isFetched { outcome.fetchedByteCount += document.descriptor.size }
                outcome.isChanged = true
                outcome.failures[digest] = nil
            }
            return true
        } catch  where error is RegistryError || error is PlacesError || error is DrayageError {
            let isOurs = layout.reader.images.contains { $0.descriptor.digest == digest && $0.subset?.original != nil }
            let failure: any Error =
                isOurs && donor == nil
                ? DrayageError(
                    .other,
                    "\(digest) is an index that was made for this bundle: where it was pushed to has it, or another bundle of "
                        + "the same (--from); or bundle the images again, with --reuse for what is there",
                    underlying: error
                ) : error
            record.outcome.withLock { $0.failures[digest] = failure }
        }
        return false
    }

    /// Makes an index of some platforms again, which no registry has, from the record of what it had been.
    ///
    /// - Returns: nil where it is no such index, or more than its own manifests are left out.
    private func madeAgain(_ digest: Digest, in reader: LayoutReader) -> Document? {
        for image in reader.images where image.descriptor.digest == digest {
            guard let original = image.subset?.original, let record = reader.documents[original] else { continue }
            let kept = record.children.map { reader.byteCount(of: $0.digest) == nil ? nil : $0 }
            if let document = try? record.keeping(kept), document.descriptor.digest == digest { return document }
        }
        return nil
    }

    private func document(
        _ digest: Digest,
        neededBy images: [String],
        _ attempts: AttemptCount
    ) async throws -> (Document, origin: String) {
        if let donor {
            guard let document = donor.documents[digest] else { throw notThere(digest, in: donor) }
            return (document, donor.path)
        }
        let places = try places(of: images)
        guard !places.isEmpty else { throw nobodyHas(digest) }
        return try await health.ask(places) { place in
            let document = try await attempts.counting {
                try await place.client(client).fetchManifest(.digest(digest), in: place.repository, expected: nil)
            }
            return (document, place.repository.description)
        }
    }

    // MARK: - Blobs

    private func repair(
        _ blob: Descriptor,
        in layout: LayoutRepair,
        neededBy images: [String],
        _ record: Record
    ) async throws {
        guard let slot = layout.slot(for: blob) else { return }
        let attempts = AttemptCount()
        func end(_ status: Report.BlobStatus, from origin: String?, _ error: (any Error)?) {
            progress(error == nil ? .blobFinished(blob.digest) : .blobFailed(blob.digest))
            record.outcome.withLock { outcome in
                var entry = Report.Blob(blob, status)
                (entry.source, entry.cause) = (origin, error.map { "\($0)" })
                if donor == nil { entry.attempts = attempts.value }
                if error == nil { entry.movedByteCount = blob.size }
                outcome.records.note(entry)
                outcome.failures[blob.digest] = error
                outcome.isChanged = true
                if error == nil, donor == nil { outcome.fetchedByteCount += blob.size }
            }
        }
        do {
            if let donor {
                progress(.blobStarted(blob.digest, byteCount: blob.size))
                guard try await copy(to: slot, from: donor) else { throw notThere(blob.digest, in: donor) }
                return end(.repaired, from: donor.path, nil)
            }
            let places = try places(of: names(images, in: layout.reader))
            guard !places.isEmpty else { throw nobodyHas(blob.digest) }
            let origin: String
            do {
                origin = try await health.ask(places) { place in
                    // What another has sent in vain does not count.
                    progress(.blobStarted(blob.digest, byteCount: blob.size))
                    try await attempts.counting {
                        try await place.client(client).fetchBlob(blob, from: place.repository, into: destination(slot))
                    }
                    return place.repository.description
                }
            } catch  where (error is RegistryError || error is PlacesError) && blob.isForeignLayer {
                origin = try await askMakers(of: blob) { url, name in
                    progress(.blobStarted(blob.digest, byteCount: blob.size))
                    try await attempts.counting {
                        try await client.fetchForeignLayer(blob, from: url, into: destination(slot))
                    }
                    return name
                }
            }
            end(.repaired, from: origin, nil)
        } catch let error as CancellationError {
            throw error
        } catch let error as LayoutError where error.operation == .writing {
            throw error
        } catch {
            end(.failed, from: nil, error)
        }
    }

    private func destination(_ slot: LayoutSlot) -> BlobPlace {
        let digest = slot.descriptor.digest
        var place = BlobPlace { bytes, offset in
            try unsafe bytes.withUnsafeBytes { try unsafe slot.write($0, at: offset) }
            progress(.blobAdvanced(digest, byteCount: Int64(bytes.byteCount)))
        }
        place.read = { try slot.add($0, to: $1) }
        place.restarting = { progress(.blobAdvanced(digest, byteCount: -$0)) }
        place.lost = { progress(.blobAdvanced(digest, byteCount: -$0)) }
        return place
    }

    private func copy(to slot: LayoutSlot, from donor: LayoutReader) async throws -> Bool {
        try await blocking { checkCancellation in
            try slot.copy(from: donor) { count in
                try checkCancellation()
                progress(.blobAdvanced(slot.descriptor.digest, byteCount: count))
            }
        }
    }

    // MARK: - Where things are

    /// The images among some that have the name of a repository: other programs' names may be no more than a tag.
    private func names(_ images: [String], in reader: LayoutReader) -> [String] {
        let known = Set(reader.images.filter(\.namesRepository).map(\.name) + reader.referrers.map(\.name))
        return images.filter(known.contains)
    }

    /// The places where the images may be had that need something.
    ///
    /// - Throws: ``DrayageError`` where there is none because of what one of them is called, or is forbidden.
    private func places(of images: [String]) throws -> [Place] {
        var (origins, failure): ([Origin], (any Error)?) = ([], nil)
        for name in images where origins.count < BlobSources.limit {
            do {
                guard let reference = try source.reference(of: name) else { continue }
                let origin = try routes.origin(of: reference)
                if !origins.contains(origin) { origins.append(origin) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure, origins.isEmpty { throw failure }
        return origins.places
    }

    private func notThere(_ digest: Digest, in donor: LayoutReader) -> DrayageError {
        DrayageError(.other, "\(donor.path): \(digest) is not in it, or is damaged there too")
    }

    private func nobodyHas(_ digest: Digest) -> DrayageError {
        DrayageError(.other, "\(digest): no image with a name needs it, so there is nowhere to fetch it from")
    }

    // MARK: - The report

    private func report(of reader: LayoutReader, _ blobs: [Descriptor], _ record: Record) throws -> Report {
        let outcome = record.outcome.withLock { $0 }
        let graph = ImageGraph(of: reader)
        let users = try reader.images(needing: Set(outcome.failures.keys))
        let hit = Set(reader.problems.flatMap(\.images) + users.values.joined())
        var report = Report(command: "repair")
        report.bundle = reader.path
        report.bundleByteCount = reader.byteCount
        report.images = reader.images.map {
            Report.Image(describing: $0, in: graph, status: hit.contains($0.name) ? .failed : .verified)
        }
        report.blobs = outcome.records.sorted
        let unfixable = reader.problems.filter { problem in
            problem.code.damagedDigest.map { outcome.failures[$0] == nil } ?? true
        }
        report.failures =
            unfixable.map { Report.Failure(subject: $0.code.damagedDigest?.description ?? reader.path, error: $0) }
            + outcome.failures.sorted { $0.key < $1.key }.map {
                Report.Failure(subject: $0.key.description, error: $0.value)
            }
        if !unfixable.isEmpty {
            report.notes = [
                "what is missing or has another size has no place in \(reader.path); bundle the images again, with --reuse "
                    + "for what it has"
            ]
        }
        report.totals = Report.Totals(blobCount: blobs.count, byteCount: blobs.reduce(0) { $0 + $1.size })
        report.totals?.fetchedByteCount = outcome.fetchedByteCount
        let repairedCount = report.blobs?.count { $0.status == .repaired } ?? 0
        report.outcome = report.failures.isEmpty ? .done : repairedCount > 0 ? .partial : .failed
        report.notes += health.notes
        return report
    }
}

extension LayoutError.Code {
    /// Whether the bytes of a manifest are there, and are not its.
    fileprivate var isDamagedDocument: Bool {
        switch self {
        case .wrongDigest: true
        default: false
        }
    }
}
