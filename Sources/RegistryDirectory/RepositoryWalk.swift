import Glibc
import OCI

/// Looks for all repositories, and for what leads to one by another way.
struct RepositoryWalk {
    /// A directory below that of all repositories.
    private struct Place {
        let path: String
        /// The path below the directory of all repositories; empty for that itself.
        var name = ""
        var isAliased = false
        /// The directories above, by which a symbolic link that leads upwards is known.
        var ancestors: Set<FileIdentity> = []
    }

    private let tree: StorageTree
    private let blobs: [Digest: Int64]
    private let progress: (RepositoryPath) -> Void
    private var aliases: Aliases

    private(set) var repositories: [RepositorySurvey] = []
    private(set) var foreign: [ForeignRepository] = []
    private(set) var uploads: [StoredUpload] = []
    private(set) var damage: [StorageDamage] = []
    private(set) var youngest: WrittenFile?

    init(
        _ tree: StorageTree,
        blobs: [Digest: Int64],
        youngest: WrittenFile?,
        progress: @escaping (RepositoryPath) -> Void
    ) {
        self.tree = tree
        self.blobs = blobs
        self.youngest = youngest
        self.progress = progress
        aliases = Aliases(root: tree.realPath(tree.paths.repositories) ?? tree.paths.repositories)
    }

    /// Looks at them.
    ///
    /// - Throws: ``DirectoryError`` when the directory of all repositories cannot be listed.
    mutating func walk() throws(DirectoryError) {
        let place = Place(path: tree.paths.repositories)
        guard let status = try tree.status(of: place.path), let entries = try tree.entries(in: place.path) else {
            return
        }
        visit(place, FileIdentity(status), entries)
    }

    /// The repositories, sorted, each with what only the end of the walk tells.
    func finishedRepositories() -> [RepositorySurvey] {
        repositories.sorted { $0.path < $1.path }.map { repository in
            var repository = repository
            repository.isAliased = repository.isAliased || aliases.lead(to: repository.path)
            return repository
        }
    }

    private mutating func visit(_ place: Place, _ identity: FileIdentity, _ entries: [StorageEntry]) {
        let isRepository = entries.contains { StoragePaths.parts.contains($0.name) }
        // What is empty was a repository, or led to one, until a removal was killed.
        if isRepository || entries.isEmpty && !place.name.isEmpty { read(place, isRepository: isRepository) }
        for entry in entries where !StoragePaths.parts.contains(entry.name) && entry.kind != .other {
            var next = Place(path: "\(place.path)/\(entry.name)", isAliased: place.isAliased)
            next.name = place.name.isEmpty ? entry.name : "\(place.name)/\(entry.name)"
            next.ancestors = place.ancestors.union([identity])
            if entry.kind == .symbolicLink {
                next.isAliased = true
                note(linkAt: next.path)
            }
            enter(next, isLink: entry.kind == .symbolicLink)
        }
    }

    private mutating func enter(_ place: Place, isLink: Bool) {
        do {
            guard let status = try tree.status(of: place.path) else {
                // A directory may have gone meanwhile; but what a link leads to may be on a disk that is not there, and a
                // name that is no text cannot be asked for.
                if isLink {
                    damage.append(StorageDamage(.directory, path: place.path, "it is a link that leads nowhere"))
                } else if place.path.contains("\u{fffd}") {
                    damage.append(StorageDamage(.directory, path: place.path, "it cannot be found by its name"))
                }
                return
            }
            guard let entries = try tree.entries(in: place.path) else { return }
            let identity = FileIdentity(status)
            guard !place.ancestors.contains(identity) else { return }
            visit(place, identity, entries)
        } catch {
            // A link that leads round in a circle leads nowhere, for whomever.
            if isLink, error.isLinkLoop { return }
            damage.append(StorageDamage(.directory, error))
        }
    }

    private mutating func note(linkAt path: String) {
        if let target = tree.realPath(path) { aliases.note(linkTo: target) }
    }

    private mutating func read(_ place: Place, isRepository: Bool) {
        guard let path = try? RepositoryPath(parsing: place.name) else {
            guard isRepository else { return }
            let reader = reader(of: place)
            foreign.append(
                ForeignRepository(path: place.name.printable, digests: reader.digests, damage: reader.damage)
            )
            return
        }
        progress(path)
        let reader = reader(of: place)
        repositories.append(reader.survey(of: path, isAliased: place.isAliased))
        uploads += reader.uploads.map { StoredUpload(repository: path, id: $0.id, lastWrite: $0.lastWrite) }
    }

    private mutating func reader(of place: Place) -> RepositoryReader {
        var reader = RepositoryReader(tree, place.path, blobs: blobs, youngest: youngest)
        reader.read()
        youngest = reader.youngest
        for link in reader.symbolicLinks { note(linkAt: link) }
        return reader
    }
}

/// Where symbolic links lead.
private struct Aliases {
    /// The directory of all repositories, without links in its path.
    let root: String
    /// Directories that may have repositories beneath them.
    private var directories: Set<String> = []
    /// Repositories of which a part is led to.
    private var repositories: Set<String> = []

    init(root: String) { self.root = root }

    mutating func note(linkTo target: String) {
        let isBeneath = target.hasPrefix(root + "/")
        let names = isBeneath ? target.dropFirst(root.count + 1).split(separator: "/") : []
        if let part = names.firstIndex(where: { StoragePaths.parts.contains(String($0)) }) {
            repositories.insert("\(root)/\(names[..<part].joined(separator: "/"))")
        } else {
            directories.insert(target)
        }
    }

    /// Whether a link leads to a repository, to a part of it or to a directory above it.
    func lead(to repository: RepositoryPath) -> Bool {
        var path = "\(root)/\(repository)"
        if repositories.contains(path) { return true }
        while !directories.contains(path) {
            guard path != "/" else { return false }
            path = parentDirectory(of: path)
        }
        return true
    }
}

extension DirectoryError {
    /// Whether a symbolic link leads round in a circle.
    fileprivate var isLinkLoop: Bool {
        if case .system(_, ELOOP) = code { true } else { false }
    }
}
