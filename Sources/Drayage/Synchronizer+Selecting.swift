import RegistryClient

extension Synchronizer {
    /// The references of a list, in its order, each once.
    ///
    /// Where it asks for all tags of a repository, these are looked up and chosen from. What is excluded is left out of
    /// all.
    ///
    /// - Parameters:
    ///   - list: the list.
    ///   - selection: which tags are taken where all are asked for, and what is left out.
    /// - Returns: the references, with the tag `latest` where they have neither tag nor digest; and lines about exclusions
    ///   that leave nothing out.
    /// - Throws: ``DrayageError`` for a list that is none, for rules about tags where none are asked for, and where nothing
    ///   of a repository or of all is left; `RegistryError` where tags cannot be looked up.
    public func references(
        of list: ImageList,
        selecting selection: TagSelection
    ) async throws -> (references: [Reference], notes: [String]) {
        let entries = try list.checkedEntries()
        guard list.asksForTags || !selection.choosesTags else {
            throw DrayageError(.usage, "tags are chosen where all of a repository are asked for: write app:* for app")
        }
        let tags = try await tags(of: entries.filter(\.meansAllTags).map(\.reference))
        var known: Set<Reference> = []
        var references: [Reference] = []
        for entry in entries {
            for reference in try chosen(entry, tags, selection) where known.insert(reference).inserted {
                references.append(reference)
            }
        }
        guard !references.isEmpty else {
            throw DrayageError(.emptyList, "nothing is left of the list of images: --exclude leaves all of it out")
        }
        let all = entries.flatMap { entry -> [Reference] in
            guard entry.meansAllTags else { return [entry.reference.withDefaultTag] }
            let repository = entry.reference.repository
            return (tags[repository] ?? []).map { Reference(repository: repository, tag: $0, digest: nil) }
        }
        return (references, selection.idleExclusions(among: all))
    }

    private func chosen(
        _ entry: ImageList.Entry,
        _ tags: [Repository: [Tag]],
        _ selection: TagSelection
    ) throws -> [Reference] {
        let reference = entry.reference.withDefaultTag
        guard entry.meansAllTags else {
            return selection.excluded.contains { $0.matches(reference) } ? [] : [reference]
        }
        let repository = entry.reference.repository
        let all = tags[repository] ?? []
        let chosen = try selection.select(all, of: repository)
        guard !chosen.isEmpty else {
            let found = all.isEmpty ? "it has no tags" : "none of its \(all.count) tags is chosen"
            throw DrayageError(.invalidList, "\(entry.place): \(repository):* asks for tags, and \(found)")
        }
        return chosen.map { Reference(repository: repository, tag: $0, digest: nil) }
    }

    /// Looks up the tags of repositories.
    private func tags(of references: [Reference]) async throws -> [Repository: [Tag]] {
        guard !references.isEmpty else { return [:] }
        let routes = try await connections.routes(of: references)
        let configuration = try connections.clientConfiguration(routes: routes, progress: progress)
        return try await RegistryClient.withClient(configuration) { client in
            progress(.resolving(count: Set(references).count))
            let health = MirrorHealth()
            let found = try await collectConcurrently(Set(references), limit: connections.parallelism) { reference in
                let names = try await health.ask(try routes.origin(of: reference).places) { place in
                    try await place.client(client).tags(of: place.repository)
                }
                // What is no tag cannot be asked for.
                return (reference.repository, names.compactMap { try? Tag(parsing: $0) })
            }
            return Dictionary(found) { first, _ in first }
        }
    }
}
