package import OCI

extension RegistryDirectory {
    /// All repositories, sorted: the directories that have layers, as the other registry sees it.
    package func repositories() throws(DirectoryError) -> [RepositoryPath] {
        try repositories(having: StoragePaths.layers)
    }

    /// All directories with the path of a repository that have a subdirectory of that name, sorted.
    func repositories(having name: String) throws(DirectoryError) -> [RepositoryPath] {
        var result: [RepositoryPath] = []
        try collect(having: name, beneath: nil, within: [], into: &result)
        return result.sorted()
    }

    private func collect(
        having name: String,
        beneath repository: RepositoryPath?,
        within ancestors: Set<FileIdentity>,
        into result: inout [RepositoryPath]
    ) throws(DirectoryError) {
        let path = repository.map(tree.paths.repository) ?? tree.paths.repositories
        guard let status = try tree.status(of: path) else { return }
        // A symbolic link to a directory above would have no end.
        let identity = FileIdentity(status)
        guard !ancestors.contains(identity), let names = try tree.names(in: path) else { return }
        if let repository, names.contains(name), try tree.isDirectory("\(path)/\(name)") { result.append(repository) }
        for child in names {
            let text = (repository.map { "\($0)/" } ?? "") + child
            guard let next = try? RepositoryPath(parsing: text) else { continue }
            try collect(having: name, beneath: next, within: ancestors.union([identity]), into: &result)
        }
    }
}
