import ArgumentParser
import Drayage

/// What a command that takes images from registries is about: a list, what failed of an earlier run, or a lock.
struct WantedImages {
    /// The arguments and the files.
    let list: () throws -> ImageList
    let areEmpty: Bool
    let selection: SelectionArguments
    let lock: LockArguments
    let retry: RetryArguments

    /// Refuses what does not go together.
    ///
    /// - Throws: `ValidationError`.
    func validate() throws {
        guard retry.file == nil || areEmpty else {
            throw ValidationError("--retry-from says which images it is about; it takes no list of them")
        }
        guard !lock.isLocked || retry.file == nil else {
            throw ValidationError("--retry-from and --locked both say which images it is about; give one of them")
        }
        guard !selection.isGiven || !areEmpty else {
            throw ValidationError(
                "--tags-matching, --tags-semver, --newest and --exclude are about a list of images; give one"
            )
        }
    }

    /// The list: of a lock what is locked, which must be what else is asked for.
    ///
    /// - Parameters:
    ///   - locked: the lock that is followed; nil where none is.
    ///   - failed: the references of the report that is done again; nil where there is none.
    /// - Returns: the list.
    /// - Throws: `DrayageError` for a list that is none or another than the lock's.
    func list(_ locked: BundleLock?, failed: [Reference]?) throws -> ImageList {
        if let failed { return ImageList(failed) }
        guard let locked else { return try list() }
        if !areEmpty { try locked.requireSame(list(), excluding: selection.selection().excluded) }
        return ImageList(try locked.references)
    }

    /// The references, and lines about what of the list is none, or says nothing.
    ///
    /// - Throws: what ``Drayage/Synchronizer/references(of:selecting:)`` throws.
    func references(
        of list: ImageList,
        _ locked: BundleLock?,
        _ synchronizer: Synchronizer
    ) async throws -> (references: [Reference], notes: [String]) {
        // What is locked was chosen when it was locked.
        guard locked == nil else { return (try list.checked(), []) }
        let chosen = try await synchronizer.references(of: list, selecting: try selection.selection())
        return (chosen.references, list.notes + chosen.notes)
    }
}
