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
        let time = (try status(of: path + "/data") ?? directory).st_mtim
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
