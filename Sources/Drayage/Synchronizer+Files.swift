import ImageLayout
import RegistryClient

extension Synchronizer {
    /// Makes a bundle of what files hold, without asking anybody: of one to keep a part of it, of several to merge them.
    ///
    /// Each file is whatever ``ReadingOptions`` says. What is not there in its digest fails. The bundle is the same as one
    /// of the same images from their registries.
    ///
    /// ```swift
    /// // Of a file that docker save wrote, one image.
    /// let image = try Reference(parsing: "alpine:3.20")
    /// let report = try await Synchronizer().bundle([image], from: ["saved.tar.gz"], to: "alpine.tar")
    /// ```
    ///
    /// - Parameters:
    ///   - references: the images that are taken, with neither tag nor digest all of a repository; all where there is none.
    ///   - paths: the files. What several of them have is taken from the first.
    ///   - excluded: what is left out of them.
    ///   - path: the bundle to write.
    ///   - options: how it is made. Platforms, signatures and locks are about images from registries.
    /// - Returns: the report; images that failed are in it, each with its cause.
    /// - Throws: ``DrayageError`` where an image is not there, or is two; `LayoutError` for the files, `CancellationError`.
    public func bundle(
        _ references: [Reference] = [],
        from paths: [String],
        excluding excluded: [ImagePattern] = [],
        to path: String,
        options: Options = .init()
    ) async throws -> Report {
        try LayoutWriter.checkOutput(path, replacesExisting: options.replacesExisting)
        let contents = try FileContents(try await reading.open(paths, progress: progress))
        var resolution = try contents.resolution(of: references, excluding: excluded, options: options)
        let interrupted = try await blocking { try InterruptedBundle.open(for: path, options: options) }
        let wanted = resolution.images.map(\.reference)
        try interrupted?.requireSame(wanted)
        let plan = try resolution.layOut()
        var report = Report(command: "bundle")
        report.bundle = path
        report.notes = contents.notes
        report.failures = resolution.failures
        guard resolution.failures.isEmpty || (options.keepGoing && !resolution.images.isEmpty) else {
            return report.concluded(keepGoing: options.keepGoing, mirrors: MirrorHealth())
        }
        let configuration = try connections.clientConfiguration(for: [], progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            let export = BundleExport(
                path: path,
                plan: plan,
                requests: resolution.requests(for: wanted),
                resolution: resolution,
                interrupted: interrupted,
                reused: contents.readers,
                options: options,
                client: client,
                health: MirrorHealth(),
                connections: connections,
                progress: progress
            )
            try await export.run(&report)
            report.totals?.requestCount = client.requestCount
            return report.concluded(keepGoing: options.keepGoing, mirrors: MirrorHealth())
        }
    }

    /// Makes one bundle of several files.
    ///
    /// - Throws: what ``bundle(_:from:excluding:to:options:)`` does.
    public func merge(_ paths: [String], to path: String, options: Options = .init()) async throws -> Report {
        var report = try await bundle(from: paths, to: path, options: options)
        report.command = "merge"
        return report
    }

    /// Finds out what a bundle of what files hold would hold, and writes nothing.
    ///
    /// - Throws: what ``bundle(_:from:excluding:to:options:)`` does.
    public func plan(
        _ references: [Reference] = [],
        from paths: [String],
        excluding excluded: [ImagePattern] = [],
        options: Options = .init()
    ) async throws -> Report {
        let contents = try FileContents(try await reading.open(paths, progress: progress))
        var resolution = try contents.resolution(of: references, excluding: excluded, options: options)
        let plan = try resolution.layOut()
        var report = Report(command: "bundle")
        report.notes = contents.notes
        report.describe(resolution, plan: plan, status: .planned, searched: options.includesReferrers)
        report.blobs = plan.blobs.map { Report.Blob($0.descriptor, .planned) }
        return report.concluded(keepGoing: options.keepGoing, mirrors: MirrorHealth())
    }
}

/// What files hold, taken together.
private struct FileContents {
    let readers: [LayoutReader]
    private var images: [(image: Resolver.Image, path: String)] = []
    private var graph = ImageGraph()

    /// Lines about the files.
    private(set) var notes: [String] = []

    /// Looks into the files.
    ///
    /// - Throws: ``DrayageError`` where something in one is missing or damaged, or an image has no name.
    init(_ readers: [LayoutReader]) throws {
        self.readers = readers
        for reader in readers {
            try reader.requireSound()
            graph.documents.merge(reader.documents) { own, _ in own }
        }
        graph.foreignLayers = .some(readers.reduce(into: []) { $0.formUnion($1.foreignLayers) })
        // What refers to an image may be in another of the files.
        let referrers = ReferrerGraph(readers.flatMap(\.referrers).folded, graph: graph)
        for reader in readers {
            for image in reader.images {
                let found = Resolver.Image(
                    reference: try image.reference(in: reader.path).withDefaultTag,
                    top: image.descriptor.bare,
                    subset: image.subset,
                    attempts: 0,
                    origin: .nowhere,
                    source: nil,
                    referrers: referrers.referrers(of: image)
                )
                images.append((found, reader.path))
            }
        }
        let placed = Set(images.flatMap(\.image.referrers).map(\.descriptor.digest))
        for reader in readers {
            notes += reader.formNotes
            let count = Set(reader.unnamed.map(\.digest)).subtracting(placed).count
            if count > 0 {
                notes.append(
                    "\(reader.path): left out is what has no name and belongs to no image (\(count)); see --name"
                )
            }
        }
    }

    /// The images that are asked for.
    ///
    /// - Throws: ``DrayageError`` where one is not there, or has other contents in another file.
    func resolution(
        of references: [Reference],
        excluding excluded: [ImagePattern],
        options: Synchronizer.Options
    ) throws -> Resolver.Resolution {
        var resolution = Resolver.Resolution(graph: graph)
        var chosen: [String: (image: Resolver.Image, path: String)] = [:]
        for found in try references.isEmpty ? images : references.flatMap(matches) {
            var image = found.image
            guard !excluded.contains(where: { $0.matches(image.reference) }) else { continue }
            if !options.includesReferrers { image.referrers = [] }
            guard let known = chosen[image.name] else {
                chosen[image.name] = found
                resolution.images.append(image)
                continue
            }
            guard known.image.top.digest == image.top.digest else {
                throw DrayageError(
                    .nameCollision,
                    "\(image.name) is \(known.image.top.digest) in \(known.path) and \(image.top.digest) in \(found.path); "
                        + "a bundle has one image of a name"
                )
            }
            if let place = resolution.images.firstIndex(where: { $0.name == image.name }) {
                resolution.images[place].subset = together(resolution.images[place].subset, image.subset, image.top)
            }
        }
        guard !resolution.images.isEmpty else {
            let names = readers.map(\.path).joined(separator: " and ")
            let what =
                images.isEmpty ? "holds no image with a name; --name gives one" : "holds nothing that is not excluded"
            throw DrayageError(.emptyList, "\(names) \(what)")
        }
        return resolution
    }

    /// What is there of an image of which two files have parts.
    private func together(_ one: LayoutSubset?, _ other: LayoutSubset?, _ top: Descriptor) -> LayoutSubset? {
        guard let one, let other else { return nil }
        // An index of its own is whole.
        guard one.original == nil else { return one }
        let children = graph.documents(from: top.digest).flatMap(\.children)
        let isWhole = children.allSatisfy { graph.documents[$0.digest] != nil }
        return isWhole ? nil : LayoutSubset(platforms: one.platforms + other.platforms)
    }

    private func matches(_ reference: Reference) throws -> [(image: Resolver.Image, path: String)] {
        let found = images.filter { candidate in
            let (own, digest) = (candidate.image.reference, candidate.image.top.digest)
            guard own.repository == reference.repository else { return false }
            return (reference.tag == nil || reference.tag == own.tag)
                && (reference.digest == nil || reference.digest == digest)
        }
        guard found.isEmpty else { return found }
        let names = readers.map(\.path).joined(separator: " and ")
        let verb = readers.count == 1 ? "has" : "have"
        throw DrayageError(.usage, "\(names) \(verb) no image \(reference); drayage list shows what there is")
    }
}
