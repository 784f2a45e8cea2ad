import FoundationEssentials
import Glibc
import OCI

extension StorageTree {
    /// Makes the directory of an upload, or of files that are prepared: to other registries it is an upload as well.
    func makeUpload(_ id: UploadID, in repository: RepositoryPath) throws(DirectoryError) -> String {
        try makeDirectory(paths.uploads(repository))
        let path = paths.upload(id, repository)
        guard unsafe mkdir(path, 0o777) == 0 else { throw DirectoryError("making it", .writing, path: path) }
        do {
            // By this the other registry finds what a crash has left here.
            _ = try createFile(path + "/startedat", Array(Date().formatted(.iso8601).utf8))
        } catch {
            removeTree(path)
            throw error
        }
        return path
    }

    /// When an upload was last written to, as time since 1970; nil where there is no such upload.
    func lastWrite(_ path: String) throws(DirectoryError) -> Duration? {
        guard let directory = try status(of: path), directory.isDirectory else { return nil }
        return (try status(of: path + "/data") ?? directory).lastWrite
    }

    /// The file of an upload that was written last; nil where nothing of an upload is there.
    func uploadedFile(_ path: String) throws(DirectoryError) -> WrittenFile? {
        for file in [path + "/data", path + "/startedat", path] {
            guard let status = try status(of: file), status.isRegular else { continue }
            return WrittenFile(path: file, time: status.lastWrite)
        }
        return nil
    }
}
