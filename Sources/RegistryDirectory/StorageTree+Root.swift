import Glibc

extension StorageTree {
    /// The directories from the root to the registry's content.
    private static let skeleton = ["docker", "registry", "v2"]

    /// Refuses a root directory that is neither a registry nor empty: it may be somebody's home.
    func checkRoot(forWriting: Bool) throws(DirectoryError) {
        let root = paths.root
        var directory = root
        for (depth, name) in Self.skeleton.enumerated() {
            let names = try (names(in: directory) ?? []).filter { depth > 0 || $0 != "lost+found" }
            let next = "\(directory)/\(name)"
            guard try isDirectory(next) else {
                // A writer that was killed in its very first moment leaves a beginning.
                guard names.isEmpty else { throw try refusal(names) }
                break
            }
            directory = next
        }
        guard forWriting, unsafe faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0 else { return }
        throw DirectoryError("writing to it", .opening, path: directory)
    }

    private func refusal(_ names: [String]) throws(DirectoryError) -> DirectoryError {
        let root = paths.root
        if names.contains("oci-layout") { return DirectoryError(.imageLayout, .opening, path: root) }
        if let whole = try rootAbove() { return DirectoryError(.withinRegistry(root: whole), .opening, path: root) }
        return DirectoryError(.notRegistry, .opening, path: root)
    }

    /// The root of the registry of which the directory is one of the uppermost parts; nil where it is none.
    private func rootAbove() throws(DirectoryError) -> String? {
        guard let path = realPath(paths.root) else { return nil }
        for depth in 1...Self.skeleton.count {
            let above = "/" + Self.skeleton.prefix(depth).joined(separator: "/")
            guard path.hasSuffix(above) else { continue }
            let whole = String(path.dropLast(above.count))
            let content = ([whole] + Self.skeleton).joined(separator: "/")
            for part in ["blobs", "repositories"] where try isDirectory("\(content)/\(part)") { return whole }
        }
        return nil
    }
}
