import ImageLayout
import RegistryClient

extension Synchronizer {
    /// Copies images from their registries to another, with nothing in between on disk.
    ///
    /// It is a push whose blobs come straight from where they are: the names, the order and the report are the same. Within
    /// one registry blobs are mounted. Images whose names the target has are skipped, and their sources not asked, unless
    /// ``Options/replacesExisting`` is set: then tags get what they mean now. Where a digest is asked for, or locked, and the
    /// name has another, that is a failure.
    ///
    /// ```swift
    /// let mapping = NameMapping(target: try RegistryTarget(parsing: "registry.site:5000"))
    /// let report = try await Synchronizer().copy([try Reference(parsing: "alpine:3.20")], to: mapping)
    /// // registry.site:5000/library/alpine:3.20 is what docker.io/library/alpine:3.20 is.
    /// ```
    ///
    /// - Parameters:
    ///   - references: the images.
    ///   - mapping: how they are named in the target.
    ///   - options: what is taken of them. Foreign layers stay where they are, and there is no file to go on with.
    ///   - isDryRun: whether only the plan is made.
    /// - Returns: the report; images that failed are in it, each with its cause.
    /// - Throws: ``DrayageError`` for the plan, `RegistryError` where the target cannot be had, `CancellationError`.
    public func copy(
        _ references: [Reference],
        to mapping: NameMapping,
        options: Options = .init(),
        isDryRun: Bool = false
    ) async throws -> Report {
        let wanted = try CopyJob.wanted(references, mapping, lock: options.lock)
        let routes = try await connections.routes(of: references)
        var connections = connections
        connections.setScheme(of: mapping.target)
        var configuration = try connections.clientConfiguration(routes: routes, progress: progress)
        configuration.registries.insert(mapping.target.registry)
        return try await RegistryClient.withClient(configuration) { client in
            let job = CopyJob(
                synchronizer: self,
                client: client,
                wanted: wanted,
                mapping: mapping,
                options: options,
                isDryRun: isDryRun
            )
            let places = wanted.map { ($0.repository, $0.target) }
            let answers = options.replacesExisting ? [:] : try await job.planner().answers(places)
            let missing = wanted.filter { image in
                if case .success(_?) = answers[image.name] { false } else { true }
            }
            let resolver = try resolver(
                client,
                [],
                references: missing.map(\.reference),
                routes: routes,
                options: options
            )
            return try await job.run(missing, answers: answers, resolver: resolver)
        }
    }
}

/// An image that is to be copied, and its place.
private struct WantedCopy {
    let reference: Reference
    /// The digest that it must have; nil where it is whatever the tag means.
    let digest: Digest?
    let repository: Repository
    let target: ManifestTarget

    /// What it is called in the target.
    var name: String { target.name(in: repository) }

    /// What is to be asked for to get the same once more.
    var pinned: Reference { Reference(repository: reference.repository, tag: reference.tag, digest: digest) }
}

/// A copy that is under way.
private struct CopyJob {
    let synchronizer: Synchronizer
    let client: RegistryClient
    let wanted: [WantedCopy]
    let mapping: NameMapping
    let options: Synchronizer.Options
    let isDryRun: Bool

    private var parallelism: Int { synchronizer.connections.parallelism }
    private var progress: ProgressHandler { synchronizer.progress }

    /// Finds the place of each image; one that is asked for with and without its digest is asked for with it.
    ///
    /// - Throws: ``DrayageError`` where two would get one name, or a name is impossible.
    static func wanted(
        _ references: [Reference],
        _ mapping: NameMapping,
        lock: BundleLock?
    ) throws -> [WantedCopy] {
        let pinned = try lock?.pinned() ?? [:]
        var byName: [String: Reference] = [:]
        var order: [String] = []
        for reference in references {
            let name = reference.bundleName
            guard let known = byName[name] else {
                byName[name] = reference
                order.append(name)
                continue
            }
            guard known.digest == nil || reference.digest == nil || known.digest == reference.digest else {
                throw DrayageError(.nameCollision, "\(known) and \(reference) would both become \(name)")
            }
            if known.digest == nil { byName[name] = reference }
        }
        let named = try order.map { ($0, try Reference(parsing: $0)) }
        return try zip(order, PushPlan.places(of: named, mapping: mapping)).compactMap { name, place in
            byName[name].map { reference in
                WantedCopy(
                    reference: reference,
                    digest: reference.digest ?? pinned[reference],
                    repository: place.repository,
                    target: place.target
                )
            }
        }
    }

    func planner(_ graph: ImageGraph = ImageGraph()) -> PushPlanner {
        PushPlanner(graph: graph, client: client, parallelism: parallelism, progress: progress)
    }

    /// Copies what the target does not have.
    func run(
        _ missing: [WantedCopy],
        answers: [String: PushPlanner.Answer],
        resolver: Resolver
    ) async throws -> Report {
        var (resolution, notes) = try await resolve(missing.map(\.reference), resolver)
        resolution.dropNameCollisions()
        var pushing = Pusher.Options()
        pushing.onExisting = options.replacesExisting ? .overwrite : .skip
        pushing.includesReferrers = options.includesReferrers
        pushing.isDryRun = isDryRun
        var plan = try await planner(resolution.graph).plan(
            try images(of: resolution),
            options: pushing,
            answers: answers,
            holders: holders(resolution)
        )
        notes += resolution.foreignLayerNotes
        plan.notes = notes + plan.notes
        var outcome: PushReplay.Outcome?
        if !isDryRun {
            let replay = PushReplay(
                plan: plan,
                graph: resolution.graph,
                source: .registries(BlobSources(images: resolution.images, graph: resolution.graph), resolver.health),
                client: client,
                parallelism: parallelism,
                progress: progress
            )
            outcome = try await replay.run()
        }
        var report = Report(pushing: plan, graph: resolution.graph, outcome: outcome)
        report.command = "copy"
        report.target = mapping.target.description
        describeOthers(in: &report, answers, resolution.failures)
        report.quotas = resolution.quotas
        if report.outcome != .failed { report.notes += resolver.health.notes }
        report.totals?.requestCount = client.requestCount
        return report
    }

    private func resolve(_ missing: [Reference], _ resolver: Resolver) async throws -> (Resolver.Resolution, [String]) {
        guard !missing.isEmpty else { return (Resolver.Resolution(), []) }
        var resolution = try await resolver.resolve(missing)
        let locked = try options.lock?.referrers(of: resolution.images, strips: resolver.strips)
        var notes = try await resolver.addReferrers(
            to: &resolution,
            planned: locked ?? [:],
            policy: options.signaturePolicy,
            areTaken: options.includesReferrers
        )
        if resolver.strips { notes += resolution.strip() }
        try options.lock?.requireSameDigests(in: &resolution)
        return (resolution, notes)
    }

    private func images(of resolution: Resolver.Resolution) throws -> [PushPlan.Image] {
        let sources = try resolution.images.map { ($0.name, try Reference(parsing: $0.name)) }
        return try zip(resolution.images, PushPlan.places(of: sources, mapping: mapping)).map { image, place in
            PushPlan.Image(
                image: image.layoutImage,
                repository: place.repository,
                target: place.target,
                referrers: image.referrers
            )
        }
    }

    /// The repositories of the target's registry from which blobs can be mounted.
    private func holders(_ resolution: Resolver.Resolution) -> [Digest: [Repository]] {
        var holders: [Digest: [Repository]] = [:]
        for image in resolution.images where image.reference.repository.registry == mapping.target.registry {
            for blob in image.tops.flatMap(resolution.graph.blobs) {
                holders[blob.digest, default: []].append(image.reference.repository)
            }
        }
        return holders
    }

    // MARK: - The report

    /// Adds what was not copied: what is there, and what could not be found.
    private func describeOthers(
        in report: inout Report,
        _ answers: [String: PushPlanner.Answer],
        _ failures: [Report.Failure]
    ) {
        var failures = failures
        for image in wanted {
            guard case .success(let found?) = answers[image.name] else { continue }
            report.images.append(present(image, found, &failures))
        }
        let bySubject = Dictionary(wanted.map { ($0.reference.description, $0) }) { first, _ in first }
        for failure in failures where !report.images.contains(where: { $0.target == failure.subject }) {
            let image = bySubject[failure.subject]
            var entry = Report.Image(reference: image?.reference.bundleName ?? failure.subject, status: .failed)
            entry.target = image?.name
            report.images.append(entry)
        }
        let byTarget = Dictionary(wanted.map { ($0.name, $0) }) { first, _ in first }
        for index in report.images.indices where report.images[index].status == .failed {
            let pinned = report.images[index].target.flatMap { byTarget[$0] }?.pinned.description
            if pinned != report.images[index].reference { report.images[index].requested = pinned }
        }
        report.images.sort { $0.reference < $1.reference }
        report.failures = failures + report.failures
        report.outcome = Report.Outcome(failures: report.failures.count, of: report.images.count)
    }

    /// Describes an image of which the target has the name.
    private func present(_ image: WantedCopy, _ found: Digest, _ failures: inout [Report.Failure]) -> Report.Image {
        var entry = Report.Image(reference: image.reference.bundleName, status: .skipped)
        entry.target = image.name
        // What platforms were taken of is another index there.
        guard let digest = image.digest, options.platforms.isEmpty else {
            entry.previousDigest = found
            return entry
        }
        guard digest != found else {
            entry.status = .upToDate
            entry.digest = found
            return entry
        }
        entry.status = .failed
        entry.previousDigest = found
        let message = "\(image.name) has the digest \(found), and \(digest) is asked for; --force overwrites it"
        failures.append(Report.Failure(subject: image.name, error: DrayageError(.tagExists, message)))
        return entry
    }
}
