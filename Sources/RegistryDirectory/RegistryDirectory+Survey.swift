package import OCI

extension RegistryDirectory {
    /// Looks at everything that is there, once.
    ///
    /// Damage does not end it: it is noted, and the rest is read. It takes time and memory in proportion to the number of
    /// repositories, tags, links and blobs, whatever their sizes. What others do meanwhile may be seen or not.
    ///
    /// - Parameter progress: hears of each repository before it is read.
    /// - Returns: what is there; nothing of a directory in which no registry has been yet.
    /// - Throws: ``DirectoryError`` when the directory of all blobs or that of all repositories cannot be listed.
    package func survey(
        progress: @escaping (RepositoryPath) -> Void = { _ in }
    ) throws(DirectoryError) -> DirectorySurvey {
        var survey = DirectorySurvey()
        var blobs = BlobWalk(tree)
        try blobs.walk()
        survey.blobs = blobs.blobs
        var walk = RepositoryWalk(tree, blobs: blobs.blobs, youngest: blobs.youngest, progress: progress)
        try walk.walk()
        survey.repositories = walk.finishedRepositories()
        survey.foreign = walk.foreign
        survey.uploads = walk.uploads
        survey.youngest = walk.youngest
        survey.damage = blobs.damage + walk.damage
        return survey
    }
}
