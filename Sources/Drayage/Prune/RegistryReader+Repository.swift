import RegistryClient

extension RegistryReader {
    /// A manifest that is read next.
    private struct Step: Sendable {
        let digest: Digest
        /// Whether a tag points at it, so that it must be there.
        var isTagged = false
        /// How many levels of indexes it is beneath, itself counted.
        var level = 1
        /// How many manifests one after the other refer to what a tag points at, itself counted.
        var referral = 0
    }

    /// What came of the attempt to read a tag.
    private enum TagFinding: Sendable {
        case found(Tag, Digest)
        /// It is listed, and there is nothing behind it.
        case ghost(Tag)
        case damaged(Tag?, String)
    }

    /// What came of the attempt to read a manifest.
    private enum Finding: Sendable {
        /// It is there; what belongs to it may not have been found.
        case found(KnownManifest, damage: String?)
        case absent
        case damaged(String)
    }

    /// Reads a repository: its tags, what they point at, all manifests beneath, and all that refer to any of these.
    ///
    /// - Throws: `RegistryError` where its tags cannot be listed, or where the registry cannot be reached.
    func contents(of path: RepositoryPath) async throws -> RegistryContents.Repository {
        let repository = try Repository(registry: target.registry, path: path.description)
        var contents = RegistryContents.Repository(path: path)
        for finding in try await tags(of: repository) {
            switch finding {
            case .found(let tag, let digest): contents.tags[tag] = digest
            case .ghost(let tag): contents.ghostTags.insert(tag)
            case .damaged(let tag, let message):
                if let tag { contents.damagedTags.insert(tag) }
                contents.damage.append(message)
            }
        }
        try await readManifests(of: repository, into: &contents)
        contents.damage.sort()
        return contents
    }

    // MARK: - Tags

    private func tags(of repository: Repository) async throws -> [TagFinding] {
        let names: [String]
        do {
            names = try await client.tags(of: repository)
        } catch let error as RegistryError where error.code == .notFound {
            names = []
        }
        return try await collectConcurrently(Set(names), limit: parallelism) { name in
            var tag: Tag?
            do {
                let parsed = try Tag(parsing: name)
                tag = parsed
                let digest = try await self.client.headManifest(.tag(parsed), in: repository, types: .any)
                return digest.map { .found(parsed, $0) } ?? .ghost(parsed)
            } catch {
                return .damaged(tag, try Self.message("\(repository):\(name)", error))
            }
        }
    }

    // MARK: - Manifests

    private func readManifests(
        of repository: Repository,
        into contents: inout RegistryContents.Repository
    ) async throws {
        let tagged = Set(contents.tags.values)
        let required = (selection.digests[contents.path] ?? []).subtracting(tagged)
        var steps = tagged.map { Step(digest: $0, isTagged: true) } + required.map { Step(digest: $0) }
        var met = tagged.union(required)
        var found: [Digest: KnownManifest] = [:]
        while !steps.isEmpty {
            let findings = try await collectConcurrently(steps, limit: parallelism) { step in
                (step, try await self.find(step, in: repository))
            }
            steps = []
            for (step, finding) in findings {
                switch finding {
                case .absent: break
                case .damaged(let message):
                    contents.damagedManifests.insert(step.digest)
                    contents.damage.append(message)
                case .found(let manifest, let damage):
                    found[step.digest] = manifest
                    let next = Self.steps(after: step, manifest)
                    let tooMuch = next == nil ? "\(repository)@\(step.digest): \(Self.excess(of: manifest))" : nil
                    contents.damage += [damage, tooMuch].compactMap(\.self)
                    steps += (next ?? []).filter { met.insert($0.digest).inserted }
                }
            }
        }
        contents.manifests = found.mapValues(\.facts)
        if selection.readsAges { contents.spreadTimes() }
    }

    /// What is beneath a manifest, and what refers to it; nil where that is more than is followed.
    private static func steps(after step: Step, _ manifest: KnownManifest) -> [Step]? {
        let (children, referrers) = (manifest.facts.children, manifest.referrers)
        guard max(children.count, referrers.count) <= ImageIndex.childLimit,
            children.isEmpty || step.level <= ImageIndex.nestingLimit,
            referrers.isEmpty || step.referral < ImageIndex.nestingLimit
        else { return nil }
        return children.map { Step(digest: $0, level: step.level + 1, referral: step.referral) }
            + referrers.map { Step(digest: $0, referral: step.referral + 1) }
    }

    private static func excess(of manifest: KnownManifest) -> DocumentError {
        let count = max(manifest.facts.children.count, manifest.referrers.count)
        return DocumentError(count > ImageIndex.childLimit ? .tooManyChildren(count: count) : .nestedTooDeep)
    }

    private func find(_ step: Step, in repository: Repository) async throws -> Finding {
        if let manifest = known.manifest(step.digest, in: repository) { return .found(manifest, damage: nil) }
        var manifest: KnownManifest
        do {
            let answer = try await client.fetchManifestBytes(.digest(step.digest), in: repository)
            if answer == nil, step.isTagged {
                return .damaged("\(repository)@\(step.digest): a tag points at it, and it is not there")
            }
            guard let answer else { return .absent }
            manifest = try KnownManifest(parsing: answer.bytes)
        } catch {
            return .damaged(try Self.message("\(repository)@\(step.digest)", error))
        }
        if selection.readsAges { manifest.facts.created = try await created(manifest.facts, in: repository) }
        do {
            manifest.referrers = try await referrers(of: step.digest, in: repository)
        } catch {
            return .found(manifest, damage: try Self.message("\(repository)@\(step.digest)", error))
        }
        known.add(manifest, step.digest, in: repository)
        return .found(manifest, damage: nil)
    }

    /// What is wrong with one thing.
    ///
    /// - Throws: the error itself where it is about more than that.
    private static func message(_ subject: String, _ error: any Error) throws -> String {
        let error = try error.ofOneThing()
        // These name their subject.
        return (error is RegistryError ? "\(error)" : "\(subject): \(error)").printable
    }

    /// What refers to a manifest; nothing where the registry has no list of that, which it is asked for once.
    private func referrers(of digest: Digest, in repository: Repository) async throws -> [Digest] {
        guard known.mayHaveReferrers else { return [] }
        let referrers = try await client.referrers(of: digest, in: repository)
        known.noteReferrers(areListed: referrers != nil)
        return (referrers ?? []).map(\.digest)
    }
}
