extension RegistryDirectory {
    /// Removes what is given, from tags down to blobs, so that at every moment whatever is visible is whole.
    ///
    /// All tags go before the first manifest, all manifests before the first link to a layer, all of those before the
    /// first blob, and each such part is on disk before the next begins; then go the uploads of the repositories named,
    /// whoever writes to them, and the repositories that are to go whole. After a kill or a power cut, the same removal
    /// finishes what is left. What is gone already is no failure.
    ///
    /// It follows no symbolic link, and leaves alone what is damaged; but it cannot know that a repository is reached
    /// through a link from elsewhere, as ``survey(progress:)`` does.
    ///
    /// - Parameters:
    ///   - removal: what goes.
    ///   - isCancelled: is asked between any two things; once it says so, nothing more is removed.
    /// - Returns: what was done. After a failure in a repository nothing more is removed from it, and no blob at all.
    /// - Throws: ``DirectoryError`` with `readOnly`, and then nothing was done.
    package func remove(
        _ removal: DirectoryRemoval,
        isCancelled: @escaping () -> Bool = { false }
    ) throws(DirectoryError) -> RemovalOutcome {
        try checkAccess()
        let run = RemovalRun(self, isCancelled: isCancelled)
        run.carryOut(removal)
        return run.outcome
    }
}
