import OCI

@testable import Drayage

/// Puts together what a registry holds, from labels in place of digests.
struct ContentsBuilder {
    private(set) var contents: RegistryContents

    init(isStorage: Bool = true) { contents = RegistryContents(isStorage: isStorage) }

    /// The digest that stands for a label.
    static func digest(_ label: String) -> Digest {
        guard let digest = try? Digest.of(Array(label.utf8)) else { preconditionFailure("no digest") }
        return digest
    }

    /// Adds a manifest with what is beneath it, which are labels of manifests and blobs.
    mutating func manifest(
        _ label: String,
        needs: [String] = [],
        subject: String? = nil,
        created: String? = nil,
        in repository: String
    ) throws {
        let facts = ManifestFacts(
            byteCount: 100,
            needs: needs.map { .init(digest: Self.digest($0), byteCount: 10) },
            subject: subject.map(Self.digest),
            config: nil,
            created: created.flatMap { .init(rfc3339: $0) }
        )
        try change(repository) { $0.manifests[Self.digest(label)] = facts }
        guard contents.isStorage else { return }
        contents.blobs[Self.digest(label)] = 100
        for need in needs where contents.blobs[Self.digest(need)] == nil { contents.blobs[Self.digest(need)] = 10 }
    }

    /// Adds links to blobs.
    mutating func layers(_ labels: [String], in repository: String) throws {
        try change(repository) { $0.layers.formUnion(labels.map(Self.digest)) }
        for label in labels where contents.blobs[Self.digest(label)] == nil { contents.blobs[Self.digest(label)] = 10 }
    }

    /// Points a tag at a manifest.
    mutating func tag(_ tag: String, _ label: String, in repository: String) throws {
        let tag = try Tag(parsing: tag)
        try change(repository) { $0.tags[tag] = Self.digest(label) }
    }

    /// Adds an image of two blobs under a tag; the label is its name.
    mutating func image(_ name: String, shared: [String] = []) throws {
        let parts = name.split(separator: ":").map(String.init)
        let blobs = ["\(name)/config", "\(name)/layer"] + shared
        try manifest(name, needs: blobs, in: parts[0])
        if contents.isStorage { try layers(blobs, in: parts[0]) }
        try tag(parts[1], name, in: parts[0])
    }

    /// Changes a repository, which is made where it is missing.
    mutating func change(
        _ path: String,
        _ body: (inout RegistryContents.Repository) throws -> Void
    ) throws {
        let path = try RepositoryPath(parsing: path)
        if !contents.repositories.contains(where: { $0.path == path }) {
            contents.repositories.append(.init(path: path))
            contents.repositories.sort { $0.path < $1.path }
        }
        for index in contents.repositories.indices where contents.repositories[index].path == path {
            try body(&contents.repositories[index])
        }
    }

    /// Adds a blob that nothing links.
    mutating func blob(_ label: String) { contents.blobs[Self.digest(label)] = 10 }

    /// Takes a blob away, and leaves the links to it.
    mutating func remove(blob label: String) { contents.blobs[Self.digest(label)] = nil }

    /// Pins a blob.
    mutating func pin(_ label: String) {
        blob(label)
        contents.pinnedBlobs.insert(Self.digest(label))
    }
}

extension PrunePlan {
    /// What goes: `repository:tag`, and the labels of manifests and blobs, sorted.
    func removedTags() -> [String] {
        repositories.flatMap { repository in repository.removedTags.map { "\(repository.repository):\($0.tag)" } }
    }

    func keptTags() -> [String] {
        repositories.flatMap { repository in
            repository.tags.filter { $0.action == .keep }.map { "\(repository.repository):\($0.tag)" }
        }
    }

    func removesManifest(_ label: String, in repository: String) -> Bool {
        repositories.contains { item in
            item.repository.description == repository
                && item.removedManifests.contains { $0.digest == ContentsBuilder.digest(label) }
        }
    }

    func removesBlob(_ label: String) -> Bool { blobs.contains { $0.digest == ContentsBuilder.digest(label) } }

    func repository(_ path: String) -> Repository? { repositories.first { $0.repository.description == path } }
}

extension PruneRequirement {
    /// A requirement of references as a list has them.
    static func of(_ references: [String], newest: Int? = nil, tags: [String] = [], only: [String] = []) throws -> Self
    {
        var list = ImageList()
        list.add(contentsOf: references.joined(separator: "\n"), name: "required.txt")
        let entries = references.isEmpty ? [] : try list.checkedEntries()
        return try PruneRequirement(
            images: entries.map { RequiredImage($0) },
            newestCount: newest,
            tagPatterns: tags,
            repositoryGlobs: try only.map { try RepositoryGlob(parsing: $0) }
        )
    }
}

extension PrunePlanner {
    /// Plans for a registry without a prefix.
    static func plan(
        _ contents: RegistryContents,
        keeping requirement: PruneRequirement,
        mapping: PathMapping? = nil,
        registry: String? = "site.io:5000"
    ) throws -> PrunePlan {
        let paths = RequiredPaths(mapping: try mapping ?? PathMapping(), registry: registry)
        let plan = try PrunePlanner(requirement: requirement, paths: paths, target: "site").plan(for: contents)
        // Whatever a plan is made from, it must be safe for that.
        let conflicts = plan.conflicts(with: contents)
        guard conflicts.isEmpty else { throw UnsafePlan(conflicts: conflicts) }
        return plan
    }

    struct UnsafePlan: Error { let conflicts: [String] }
}
