import ImageLayout
import RegistryClient
import Synchronization

/// Finds what refers to images: signatures, attestations and SBOMs, and what refers to those.
///
/// In the repository that an image comes from, every manifest of it is asked for. A registry says what refers to a manifest
/// through its Referrers API; where it has none, and for what cosign puts beside an image, the names of tags say it. Whether
/// there is an API is asked once a registry, and which tags there are once a repository.
struct ReferrerSearch: Sendable {
    /// The most pages of a list of tags: where there are more, a few questions for each manifest cost less.
    private static let tagPageLimit = 50
    /// The most referrers on top of each other.
    private static let levelLimit = 8

    let client: RegistryClient
    let parallelism: Int
    let health: MirrorHealth
    /// Documents that are at hand, and need not be fetched.
    let known: [Digest: Document]

    /// A manifest in the repository of an image.
    private struct Subject: Hashable, Sendable {
        let digest: Digest
        let origin: Origin
    }

    /// Something that refers to a subject, with all that is beneath it.
    private struct Attachment: Sendable {
        let top: Descriptor
        let documents: [Document]
        let tag: Tag?
    }

    /// How much was listed so far: a registry may list whatever it likes.
    private final class ListedCount: Sendable {
        private let count = Atomic(0)
        private let limit: Int

        init(limit: Int) { self.limit = limit }

        func add(_ more: Int) throws {
            let sum = count.add(more, ordering: .relaxed).newValue
            guard sum <= limit else { throw DrayageError(.other, "more than \(limit) manifests refer to the images") }
        }
    }

    /// Finds what refers to images.
    ///
    /// An image whose signatures cannot be had fails: without them it may be refused where it goes.
    ///
    /// - Parameters:
    ///   - resolution: the images, to which what is found is added.
    ///   - isWanted: whether it is looked for.
    /// - Returns: lines about registries that could not be asked.
    /// - Throws: `CancellationError` alone.
    func run(
        _ resolution: inout Resolver.Resolution,
        where isWanted: (Resolver.Image) -> Bool
    ) async throws -> [String] {
        let images = resolution.images.indices.filter { isWanted(resolution.images[$0]) }
        var samples: [Origin: Digest] = [:]
        var pending: [Subject] = []
        var seen: Set<Subject> = []
        for image in images.map({ resolution.images[$0] }) {
            samples[image.origin] = samples[image.origin] ?? image.top.digest
            for document in resolution.graph.documents(from: image.top.digest) {
                let subject = Subject(digest: document.descriptor.digest, origin: image.origin)
                if seen.insert(subject).inserted { pending.append(subject) }
            }
        }
        let shelves = try await open(samples)
        let listed = ListedCount(limit: ImageIndex.childLimit * max(1, images.count))
        var found: [Subject: Result<[Attachment], any Error>] = [:]
        for level in 1...Self.levelLimit + 1 where !pending.isEmpty {
            let answers = try await collectConcurrently(pending, limit: parallelism) { subject in
                (subject, try await attachments(of: subject, on: shelves[subject.origin], level: level, listed))
            }
            pending = []
            for (subject, answer) in answers {
                found[subject] = answer
                for document in (try? answer.get())?.flatMap(\.documents) ?? [] {
                    resolution.graph.documents[document.descriptor.digest] = document
                    let next = Subject(digest: document.descriptor.digest, origin: subject.origin)
                    if seen.insert(next).inserted { pending.append(next) }
                }
            }
        }
        var failures: [Int: any Error] = [:]
        for index in images {
            do {
                resolution.images[index].referrers = try referrers(
                    of: resolution.images[index],
                    resolution.graph,
                    found
                )
            } catch {
                let reference = resolution.images[index].reference
                failures[index] = DrayageError(
                    .other,
                    "what refers to \(reference) cannot be had (--no-referrers leaves signatures and the like behind)",
                    underlying: error
                )
            }
        }
        resolution.fail(failures)
        let unreachable = shelves.values.compactMap { try? $0.get().unreachable }
        return Set(unreachable).sorted().map { registry in
            "\(registry) cannot be reached, so what refers to its images was looked for at its mirrors alone"
        }
    }

    /// Collects what refers to an image, directly or not.
    private func referrers(
        of image: Resolver.Image,
        _ graph: ImageGraph,
        _ found: [Subject: Result<[Attachment], any Error>]
    ) throws -> [LayoutReferrer] {
        var result: [LayoutReferrer] = []
        var pending = graph.documents(from: image.top.digest).map(\.descriptor.digest)
        var met = Set(pending)
        let own = met
        while let digest = pending.popLast() {
            let attachments = try found[Subject(digest: digest, origin: image.origin)]?.get() ?? []
            // What the image has beneath itself comes with it.
            for attachment in attachments where !own.contains(attachment.top.digest) {
                result.append(
                    LayoutReferrer(
                        descriptor: attachment.top,
                        subject: digest,
                        repository: image.reference.repository,
                        tag: attachment.tag
                    )
                )
                pending += attachment.documents.map(\.descriptor.digest).filter { met.insert($0).inserted }
            }
        }
        return result.folded
    }

    // MARK: - Repositories

    /// A repository, and how it says what refers to a manifest.
    private struct Shelf: Sendable {
        let place: Place
        /// Whether its registry has the Referrers API.
        let hasAPI: Bool
        /// Whether it would not say so here, and may elsewhere.
        let isDenied: Bool
        /// What that said when it was asked whether it is there.
        let answer: (digest: Digest, referrers: [Descriptor])?
        /// The tags that are named after digests; nil where they have to be asked for one by one.
        let tags: Set<Tag>?
        /// The registry that should have been asked instead.
        var unreachable: String?

        /// Whether a tag may be named after a digest.
        var mayHaveTags: Bool { tags?.isEmpty != true }
    }

    /// Opens the repositories.
    private func open(_ samples: [Origin: Digest]) async throws -> [Origin: Result<Shelf, any Error>] {
        // One of each registry goes first, and learns for the others whether there is an API.
        let byRegistry = Dictionary(grouping: samples.keys) { $0.places.first?.repository.registry }
        let first = byRegistry.values.compactMap { $0.min { $0.name < $1.name } }
        var shelves: [Origin: Result<Shelf, any Error>] = [:]
        var apis: [String: Bool] = [:]
        for origins in [first, samples.keys.filter { !first.contains($0) }] {
            let known = apis
            let opened = try await collectConcurrently(origins, limit: parallelism) { origin in
                (origin, try await open(origin, sample: samples[origin], known))
            }
            for (origin, shelf) in opened {
                shelves[origin] = shelf
                if let shelf = try? shelf.get(), !shelf.isDenied {
                    apis[shelf.place.repository.registry] = shelf.hasAPI
                }
            }
        }
        return shelves
    }

    private func open(
        _ origin: Origin,
        sample: Digest?,
        _ apis: [String: Bool]
    ) async throws -> Result<Shelf, any Error> {
        // A mirror need not have what refers to an image, and does not say so; where there is one, the source may be out of
        // reach, and is not waited for.
        let (mirrors, sources) = (origin.places.filter(\.isMirror), origin.places.filter { !$0.isMirror })
        do {
            var failure: (any Error)?
            for place in sources {
                do {
                    return .success(try await open(place, mirrors.isEmpty ? client : client.forMirrors, sample, apis))
                } catch let error as RegistryError where !mirrors.isEmpty && error.concernsWholeRegistry {
                    failure = error
                }
            }
            guard !mirrors.isEmpty else { throw failure ?? DrayageError(.other, "there is no place to ask") }
            var shelf = try await health.ask(mirrors) { try await open($0, $0.client(client), sample, apis) }
            shelf.unreachable = sources.first?.repository.registry
            return .success(shelf)
        } catch let error as CancellationError {
            throw error
        } catch {
            return .failure(error)
        }
    }

    private func open(
        _ place: Place,
        _ client: RegistryClient,
        _ sample: Digest?,
        _ apis: [String: Bool]
    ) async throws -> Shelf {
        let repository = place.repository
        var (hasAPI, isDenied, answer) = (apis[repository.registry], false, [Descriptor]?.none)
        if hasAPI == nil, let sample {
            do {
                answer = try await client.referrers(of: sample, in: repository)
            } catch let error as RegistryError where error.concernsRepository {
                isDenied = true
            }
            hasAPI = answer != nil
        }
        return Shelf(
            place: place,
            hasAPI: hasAPI ?? false,
            isDenied: isDenied,
            answer: sample.flatMap { sample in answer.map { (sample, $0) } },
            tags: try await tags(of: repository, client)
        )
    }

    /// The tags of a repository that are named after digests; nil where its registry does not list them, or has too many.
    private func tags(of repository: Repository, _ client: RegistryClient) async throws -> Set<Tag>? {
        do {
            let tags = try await client.tags(of: repository, pageLimit: Self.tagPageLimit).lazy
                .compactMap { try? Tag(parsing: $0) }
            return Set(tags.filter { AttachmentTag.Key(of: $0) != nil })
        } catch let error as RegistryError where !error.concernsWholeRegistry {
            return nil
        }
    }

    // MARK: - Manifests

    private func attachments(
        of subject: Subject,
        on shelf: Result<Shelf, any Error>?,
        level: Int,
        _ count: ListedCount
    ) async throws -> Result<[Attachment], any Error> {
        do {
            guard let shelf = try shelf?.get() else { return .success([]) }
            let found = try await attachments(of: subject.digest, on: shelf, count)
            guard level <= Self.levelLimit || found.isEmpty else {
                throw DrayageError(.other, "what refers to \(subject.digest) is more than \(Self.levelLimit) deep")
            }
            return .success(found)
        } catch let error as CancellationError {
            throw error
        } catch {
            return .failure(error)
        }
    }

    private func attachments(
        of digest: Digest,
        on shelf: Shelf,
        _ count: ListedCount
    ) async throws -> [Attachment] {
        var listed: [Descriptor] = []
        if let answer = shelf.answer, answer.digest == digest {
            listed = answer.referrers
        } else if shelf.hasAPI {
            let client = shelf.place.client(client)
            listed = try await client.referrers(of: digest, in: shelf.place.repository) ?? []
        }
        var found: [Attachment] = []
        if shelf.mayHaveTags, let tag = AttachmentTag.list(of: digest), let list = try await document(tag, on: shelf) {
            if case .index(let index) = list.content {
                listed += index.manifests
            } else {
                found.append(try await attachment(list, tag: tag, on: shelf, count))
            }
        }
        for tag in shelf.mayHaveTags ? AttachmentTag.cosign(of: digest) : [] {
            guard let document = try await document(tag, on: shelf) else { continue }
            found.append(try await attachment(document, tag: tag, on: shelf, count))
        }
        try count.add(listed.count)
        // What has a tag of its own is found by it.
        var seen = Set([digest] + found.map(\.top.digest))
        let others = listed.filter { seen.insert($0.digest).inserted }
        return found
            + (try await collectConcurrently(others, limit: parallelism) { referrer in
                try await attachment(document(referrer, on: shelf), tag: nil, on: shelf, count)
            })
    }

    /// What a tag points at; nil where there is no such tag.
    private func document(_ tag: Tag, on shelf: Shelf) async throws -> Document? {
        let (client, repository) = (shelf.place.client(client), shelf.place.repository)
        if let tags = shelf.tags, !tags.contains(tag) { return nil }
        // A tag that is listed may be gone by now.
        guard let digest = try await client.headManifest(.tag(tag), in: repository) else { return nil }
        if let document = known[digest] { return document }
        return try await client.fetchManifest(.digest(digest), in: repository)
    }

    /// What a list names; its digest decides, for some registries state the size of all that is beneath.
    private func document(_ descriptor: Descriptor, on shelf: Shelf) async throws -> Document {
        if let known = known[descriptor.digest] { return known }
        return try await shelf.place.client(client)
            .fetchManifest(.digest(descriptor.digest), in: shelf.place.repository)
    }

    /// A referrer with all manifests beneath it.
    private func attachment(
        _ top: Document,
        tag: Tag?,
        on shelf: Shelf,
        _ count: ListedCount
    ) async throws -> Attachment {
        guard case .manifest = top.content else {
            guard case .index = top.content else {
                let type = top.descriptor.mediaType.rawValue.printableExcerpt
                throw DrayageError(
                    .other,
                    "\(top.descriptor.digest): what is beneath a manifest of the type \(type) is not known"
                )
            }
            return try await index(top, tag: tag, on: shelf, count)
        }
        return Attachment(top: top.descriptor, documents: [top], tag: tag)
    }

    private func index(
        _ top: Document,
        tag: Tag?,
        on shelf: Shelf,
        _ count: ListedCount
    ) async throws -> Attachment {
        var documents = [top]
        var seen: Set<Digest> = [top.descriptor.digest]
        var (level, depth) = ([top], 0)
        while !level.isEmpty {
            depth += 1
            let children = level.flatMap(\.children).filter { seen.insert($0.digest).inserted }
            guard depth <= ImageIndex.nestingLimit || children.isEmpty else { throw DocumentError(.nestedTooDeep) }
            try count.add(children.count)
            level = []
            for child in children { level.append(try await document(child, on: shelf)) }
            documents += level
        }
        return Attachment(top: top.descriptor, documents: documents, tag: tag)
    }
}
