import Glibc
import ImageLayout
import OCI
import RegistryDirectory

/// Serves bundles as they lie: every answer comes straight from the files, and nothing is written.
struct BundleStore: RegistryStore {
    private let readers: [LayoutReader]
    private let contents: [RepositoryPath: BundleRepository]
    private let names: [RepositoryPath]

    init(readers: [LayoutReader], contents: [RepositoryPath: BundleRepository]) {
        self.readers = readers
        self.contents = contents
        names = contents.keys.sorted()
    }

    func repositories() -> [RepositoryPath] { names }

    func tags(in repository: RepositoryPath) -> [Tag]? { contents[repository]?.tags.keys.sorted() }

    func digest(of tag: Tag, in repository: RepositoryPath) -> Digest? { contents[repository]?.tags[tag]?.digest }

    func manifests(in repository: RepositoryPath) -> [Digest] {
        contents[repository].map { Array($0.documents.keys) } ?? []
    }

    /// The bytes of a manifest, which were verified when the bundle was opened.
    func manifest(_ digest: Digest, in repository: RepositoryPath) -> [UInt8]? {
        guard let number = contents[repository]?.documents[digest] else { return nil }
        return readers[number].documents[digest]?.bytes
    }

    func blob(_ digest: Digest, in repository: RepositoryPath) throws -> OpenBlob? {
        guard let number = contents[repository]?.blobs[digest] else { return nil }
        return try readers[number].openBlob(digest)
    }
}

extension LayoutReader {
    /// Opens a blob by a descriptor of its own, which outlives the reader.
    ///
    /// - Throws: ``BundleError`` where the file was cut since it was opened: nothing would tell a client so once it was
    ///   told the size; `LayoutError` where it is one of a directory, and cannot be opened.
    fileprivate func openBlob(_ digest: Digest) throws -> OpenBlob? {
        guard let location = try location(of: digest) else { return nil }
        let range = location.range
        let copy = fcntl(location.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw failure("opening it once more") }
        let blob = OpenBlob(descriptor: copy, offset: range.lowerBound, byteCount: Int64(range.count))
        var status = stat()
        guard unsafe fstat(copy, &status) == 0 else { throw failure("asking for its status") }
        guard Int64(status.st_size) >= range.upperBound else {
            throw BundleError(code: .shortened(byteCount: Int64(status.st_size)), path: path)
        }
        return blob
    }

    private func failure(_ operation: String) -> BundleError {
        BundleError(code: .system(operation: operation, errno: errno), path: path)
    }
}
