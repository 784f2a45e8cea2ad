import OCI

/// Reads what one repository has, from a directory under whatever name.
struct RepositoryReader {
    let tree: StorageTree
    let directory: String
    let blobs: [Digest: Int64]

    private(set) var tags: [Tag: Digest] = [:]
    private(set) var ghostTags: Set<Tag> = []
    private(set) var manifests: Set<Digest> = []
    private(set) var danglingManifests: Set<Digest> = []
    private(set) var layers: Set<Digest> = []
    private(set) var damage: [StorageDamage] = []
    private(set) var uploads: [(id: String, lastWrite: Duration?)] = []
    private(set) var youngest: WrittenFile?
    /// The symbolic links among its directories.
    private(set) var symbolicLinks: [String] = []

    init(_ tree: StorageTree, _ directory: String, blobs: [Digest: Int64], youngest: WrittenFile?) {
        self.tree = tree
        self.directory = directory
        self.blobs = blobs
        self.youngest = youngest
    }

    /// Reads all of it.
    mutating func read() {
        for name in directories(in: directory, where: { StoragePaths.parts.contains($0) }) {
            let path = "\(directory)/\(name)"
            switch name {
            case StoragePaths.layers: readLayers(path)
            case StoragePaths.manifests: readManifests(path)
            default: readUploads(path)
            }
        }
    }

    // MARK: - Parts

    private mutating func readLayers(_ path: String) {
        for digest in links(in: path, StorageDamage.Subject.layer) { layers.insert(digest) }
    }

    private mutating func readManifests(_ path: String) {
        for name in directories(in: path, where: { $0 == StoragePaths.tags || $0 == StoragePaths.revisions }) {
            let part = "\(path)/\(name)"
            guard name == StoragePaths.revisions else {
                readTags(part)
                continue
            }
            for digest in links(in: part, StorageDamage.Subject.manifest) { addManifest(digest) }
        }
    }

    private mutating func addManifest(_ digest: Digest) {
        if blobs[digest] != nil {
            manifests.insert(digest)
            return
        }
        attempt(.manifest(digest)) { tree throws(DirectoryError) in
            // It may be in a directory that could not be listed, which says nothing of whether it is there.
            try tree.fileByteCount(tree.paths.data(digest)) != nil
        } then: { isThere, reader in
            if isThere {
                reader.manifests.insert(digest)
            } else {
                reader.danglingManifests.insert(digest)
            }
        }
    }

    private mutating func readTags(_ path: String) {
        for name in directories(in: path) {
            let directory = "\(path)/\(name)"
            guard let tag = try? Tag(parsing: name) else {
                damage.append(StorageDamage(.name, path: directory, "its name is no tag"))
                continue
            }
            attempt(.tag(tag)) { tree throws(DirectoryError) in
                try tree.findLink(in: "\(directory)/current")
            } then: { link, reader in
                if let link { return reader.addTag(tag, link, path: "\(directory)/current/link") }
                reader.ghostTags.insert(tag)
                // Somebody may be about to write it.
                if let status = try? reader.tree.status(of: directory) {
                    reader.youngest.update(directory, status.lastWrite)
                }
            }
        }
    }

    private mutating func addTag(_ tag: Tag, _ link: FoundLink, path: String) {
        youngest.update(path, link.lastWrite)
        if let digest = link.digest {
            tags[tag] = digest
        } else {
            damage.append(StorageDamage(.tag(tag), path: path, "it holds no digest"))
        }
    }

    private mutating func readUploads(_ path: String) {
        for entry in entries(in: path) {
            let upload = "\(path)/\(entry.name)"
            attempt(.directory) { tree throws(DirectoryError) in
                try tree.uploadedFile(upload)
            } then: { file, reader in
                reader.uploads.append((id: entry.name, lastWrite: file?.time))
                if let file { reader.youngest.update(file.path, file.time) }
            }
        }
    }

    // MARK: - Links

    /// The digests in `<algorithm>/<hex>/link` that are those of their directories.
    private mutating func links(in path: String, _ subject: (Digest) -> StorageDamage.Subject) -> [Digest] {
        var result: [Digest] = []
        for algorithm in directories(in: path) {
            let directory = "\(path)/\(algorithm)"
            guard Digest.Algorithm(rawValue: algorithm) != nil else {
                damage.append(StorageDamage(.name, path: directory, "its name is no known digest algorithm"))
                continue
            }
            for hex in directories(in: directory) {
                guard let digest = try? Digest(parsing: "\(algorithm):\(hex)") else {
                    damage.append(StorageDamage(.name, path: "\(directory)/\(hex)", "its name is no digest"))
                    continue
                }
                if hasLink(to: digest, in: "\(directory)/\(hex)", subject(digest)) { result.append(digest) }
            }
        }
        return result
    }

    /// Whether the link is there, and right.
    private mutating func hasLink(to digest: Digest, in directory: String, _ subject: StorageDamage.Subject) -> Bool {
        var isRight = false
        attempt(subject) { tree throws(DirectoryError) in
            try tree.findLink(in: directory)
        } then: { link, reader in
            guard let link else { return }
            let path = "\(directory)/link"
            reader.youngest.update(path, link.lastWrite)
            isRight = link.digest == digest
            if isRight { return }
            let reason = link.digest.map { "it holds \($0) and should hold \(digest)" } ?? "it holds no digest"
            reader.damage.append(StorageDamage(subject, path: path, reason))
        }
        return isRight
    }

    // MARK: - Directories

    /// The names of the directories in a directory; what is none is damage.
    private mutating func directories(
        in path: String,
        where isOfInterest: (String) -> Bool = { _ in true }
    ) -> [String] {
        var names: [String] = []
        for entry in entries(in: path) where isOfInterest(entry.name) {
            let child = "\(path)/\(entry.name)"
            switch entry.kind {
            case .directory: break
            case .symbolicLink:
                symbolicLinks.append(child)
                if leadsNowhere(child) {
                    damage.append(StorageDamage(.directory, path: child, "it is a link that leads nowhere"))
                    continue
                }
            case .other:
                damage.append(StorageDamage(.name, path: child, "it is no directory"))
                continue
            }
            names.append(entry.name)
        }
        return names
    }

    /// Whether a link leads to what is not there; any other trouble with it is met where it is followed.
    private func leadsNowhere(_ path: String) -> Bool {
        do throws(DirectoryError) {
            return try tree.status(of: path) == nil
        } catch {
            return false
        }
    }

    private mutating func entries(in path: String) -> [StorageEntry] {
        do {
            return try tree.entries(in: path) ?? []
        } catch {
            damage.append(StorageDamage(.directory, error))
            return []
        }
    }

    /// Reads something, and notes as damage that it could not be read.
    private mutating func attempt<Value>(
        _ subject: StorageDamage.Subject,
        _ body: (StorageTree) throws(DirectoryError) -> Value,
        then: (Value, inout RepositoryReader) -> Void
    ) {
        do {
            then(try body(tree), &self)
        } catch {
            damage.append(StorageDamage(subject, error))
        }
    }
}
