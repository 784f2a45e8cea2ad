package import OCI
import Synchronization

extension BlobUpload {
    /// Takes the session for a request, away from any other.
    ///
    /// A client whose connection broke comes back while the server still waits for the dead one. It returns when nothing
    /// more can come from the other: ``byteCount`` stays as it is until the new claim is used. While the session is being
    /// stored it cannot be taken, and the claim is good for nothing.
    ///
    /// - Parameter algorithm: how the blob will be committed, where that is known: before the first byte has come the
    ///   session can still be hashed in that way.
    /// - Returns: the claim.
    package func claim(hashing algorithm: Digest.Algorithm? = nil) -> Claim {
        guard !isBusy.load(ordering: .acquiring) else { return Claim(number: 0) }
        return state.withLock { state in
            state.claim += 1
            if let algorithm, algorithm != state.algorithm, byteCount == 0 {
                state.algorithm = algorithm
                state.hasher = DigestHasher(algorithm: algorithm)
            }
            return Claim(number: state.claim)
        }
    }

    /// Adds bytes at the end.
    ///
    /// - Parameters:
    ///   - bytes: the bytes; they are not kept.
    ///   - claim: the request's claim.
    /// - Throws: ``DirectoryError`` with `superseded`, `busy` or `uploadEnded` when the session is another's now or
    ///   nobody's; with `noSpace` or the system's reason when they cannot be written. The session is as it was before then.
    package func append(_ bytes: UnsafeRawBufferPointer, claim: Claim) throws(DirectoryError) {
        try refuseWhileBusy()
        // Unlike a pointer, a span may be handed to what the lock protects.
        let span = unsafe bytes.bytes
        try state.withLock { state throws(DirectoryError) in
            let file = try check(claim, state)
            let end = byteCount
            let hasher = try hasherForAppending(state, file)
            do throws(DirectoryError) {
                try unsafe file.write(bytes, at: end)
            } catch {
                // Should it fail, the next bytes go over what it left, or the commit cuts it off.
                try? file.truncate(to: end)
                throw error
            }
            unsafe span.withUnsafeBytes { unsafe hasher.update($0) }
            state.hasher = hasher
            count.store(end + Int64(bytes.count), ordering: .releasing)
            file.startWriteBack(ofWindowsBefore: end + Int64(bytes.count), byteCount: bytes.count)
        }
    }

    /// Makes the bytes a blob of the repository, on disk, and ends the session.
    ///
    /// - Parameters:
    ///   - digest: what the bytes are to be.
    ///   - claim: the request's claim.
    /// - Throws: ``DirectoryError`` with `superseded`, `busy` or `uploadEnded`, which leave everything as it is; with
    ///   `wrongDigest`, `noSpace`, `otherFileSystem` or the system's reason, and then the session has ended and its space
    ///   is free.
    package func commit(as digest: Digest, claim: Claim) throws(DirectoryError) {
        guard isBusy.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged else {
            throw busy
        }
        defer { isBusy.store(false, ordering: .releasing) }
        try state.withLock { state throws(DirectoryError) in
            let file = try check(claim, state)
            defer { end(&state) }
            try verify(hasher(state, file, digest.algorithm), digest)
            try store(file, as: digest)
        }
    }

    /// Ends the session and removes what has come.
    ///
    /// - Throws: ``DirectoryError`` with `uploadEnded` when it has ended already, `busy` while it is being stored.
    package func cancel() throws(DirectoryError) {
        try refuseWhileBusy()
        try state.withLock { state throws(DirectoryError) in
            guard state.file != nil else { throw ended }
            end(&state)
        }
    }

    private var ended: DirectoryError { DirectoryError(.uploadEnded, .writing, path: directory) }

    private var busy: DirectoryError { DirectoryError(.busy, .writing, path: directory) }

    private func refuseWhileBusy() throws(DirectoryError) {
        if isBusy.load(ordering: .acquiring) { throw busy }
    }

    private func check(_ claim: Claim, _ state: borrowing State) throws(DirectoryError) -> StorageFile {
        guard let file = state.file else { throw ended }
        guard claim.number == state.claim else { throw DirectoryError(.superseded, .writing, path: directory) }
        return file
    }

    /// A hasher that has seen every byte: the one that saw them come, unless it is of another algorithm or another time.
    private func hasher(
        _ state: borrowing State,
        _ file: StorageFile,
        _ wanted: Digest.Algorithm
    ) throws(DirectoryError) -> DigestHasher {
        if wanted == state.algorithm, let hasher = state.hasher { return hasher }
        return try file.hasher(over: byteCount, algorithm: wanted)
    }

    private func hasherForAppending(
        _ state: borrowing State,
        _ file: StorageFile
    ) throws(DirectoryError) -> DigestHasher {
        if let hasher = state.hasher { return hasher }
        isBusy.store(true, ordering: .releasing)
        defer { isBusy.store(false, ordering: .releasing) }
        return try file.hasher(over: byteCount, algorithm: state.algorithm)
    }

    private func verify(_ hasher: DigestHasher, _ expected: Digest) throws(DirectoryError) {
        let actual: Digest
        do throws(DigestHasherError) {
            actual = try hasher.finish()
        } catch {
            throw DirectoryError(error, .writing, path: directory)
        }
        guard actual == expected else {
            throw DirectoryError(.wrongDigest(expected: expected, actual: actual), .writing, path: directory)
        }
    }

    private func end(_ state: inout State) {
        state.file = nil
        state.hasher = nil
        tree.removeTree(directory)
        hasEnded.store(true, ordering: .releasing)
    }
}

extension BlobUpload {
    /// Gives the verified bytes their place, then the repository its link to them.
    private func store(_ file: StorageFile, as digest: Digest) throws(DirectoryError) {
        let target = tree.paths.content(digest)
        var publication = Publication(tree, staging: directory)
        // Also where it is there already: these bytes are verified, and those may have gone bad since.
        try file.truncate(to: byteCount)
        try file.sync()
        try publication.add(staged: file.path, as: "data", in: target)
        try tree.changing(repository) { () throws(DirectoryError) in
            try publication.add(linkTo: digest, in: tree.paths.layer(digest, repository))
            try publication.publish()
        }
    }
}
