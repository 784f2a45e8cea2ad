import OCI

/// Files that are to become visible one after the other.
///
/// All that takes space is done while they are added: a full disk is found before the first of them is visible.
struct Publication {
    private struct Step {
        /// The finished file; nil where the right one is in its place already.
        let staged: String?
        let directory: String
        let name: String
    }

    private let tree: StorageTree
    private let staging: String
    private var steps: [Step] = []

    /// Starts a publication.
    ///
    /// - Parameters:
    ///   - tree: the registry.
    ///   - staging: the directory in which files are prepared.
    init(_ tree: StorageTree, staging: String) {
        self.tree = tree
        self.staging = staging
    }

    /// Adds a file with these bytes.
    mutating func add(_ bytes: [UInt8], as name: String, in directory: String) throws(DirectoryError) {
        let staged = "\(staging)/\(name)-\(steps.count)"
        // A kill in the middle of storing this very session may have left one.
        _ = try tree.removeFile(staged)
        try tree.createFile(staged, bytes).sync()
        try add(staged: staged, as: name, in: directory)
    }

    /// Adds a file that is finished, and on disk.
    mutating func add(staged: String, as name: String, in directory: String) throws(DirectoryError) {
        try tree.makeLeaf(directory)
        steps.append(Step(staged: staged, directory: directory, name: name))
    }

    /// Adds a link to a digest.
    mutating func add(linkTo digest: Digest, in directory: String) throws(DirectoryError) {
        if try tree.link(in: directory) == digest { return try add(present: "link", in: directory) }
        try add(Array(digest.description.utf8), as: "link", in: directory)
    }

    /// Adds a file that is in its place, but perhaps, by another thread, only since a moment ago: not on disk.
    mutating func add(present name: String, in directory: String) throws(DirectoryError) {
        try tree.makeLeaf(directory)
        steps.append(Step(staged: nil, directory: directory, name: name))
    }

    /// Makes the files visible in the order in which they were added, each on disk before the next.
    consuming func publish() throws(DirectoryError) {
        for step in steps {
            if let staged = step.staged { try tree.move(staged, to: "\(step.directory)/\(step.name)") }
            try tree.sync(directory: step.directory)
        }
    }
}
