import Glibc
import OCI

/// Looks for all blobs.
struct BlobWalk {
    private let tree: StorageTree
    private(set) var blobs: [Digest: Int64] = [:]
    private(set) var youngest: WrittenFile?
    private(set) var damage: [StorageDamage] = []

    init(_ tree: StorageTree) { self.tree = tree }

    /// Looks at them.
    ///
    /// - Throws: ``DirectoryError`` when the directory of all blobs cannot be listed.
    mutating func walk() throws(DirectoryError) {
        _ = try tree.names(in: tree.paths.blobs)
        if tree.sharesBlobs {
            let reason = "it leads to the blobs of another registry, which may need them"
            damage.append(StorageDamage(.directory, path: tree.paths.blobs, reason))
        }
        for algorithm in Digest.Algorithm.allCases {
            for prefix in names(in: tree.paths.blobs(algorithm)) {
                for hex in names(in: "\(tree.paths.blobs(algorithm))/\(prefix)") where hex.hasPrefix(prefix) {
                    guard prefix.utf8.count == 2, let digest = try? Digest(parsing: "\(algorithm.rawValue):\(hex)")
                    else { continue }
                    look(at: digest)
                }
            }
        }
    }

    private mutating func names(in path: String) -> [String] {
        do {
            return try tree.names(in: path) ?? []
        } catch {
            damage.append(StorageDamage(.directory, error))
            return []
        }
    }

    private mutating func look(at digest: Digest) {
        let path = tree.paths.data(digest)
        do {
            guard let status = try tree.status(of: path), status.isRegular else { return }
            blobs[digest] = Int64(status.st_size)
            youngest.update(path, status.lastWrite)
        } catch {
            damage.append(StorageDamage(.directory, error))
        }
    }
}

extension WrittenFile? {
    /// Takes a file that is younger.
    mutating func update(_ path: String, _ time: Duration) {
        if let self, self.time >= time { return }
        self = WrittenFile(path: path, time: time)
    }
}
