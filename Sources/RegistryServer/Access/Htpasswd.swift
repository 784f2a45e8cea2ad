import Dispatch
import OCI
import Synchronization

/// The users of an htpasswd file, and whether a password is theirs.
///
/// The file is looked at for each question and read again when it has changed; while it cannot be read, or is wrong, what
/// it said before stays in force. A password that was right once costs no bcrypt again, as long as its hash is in force.
package final class Htpasswd: Sendable {
    /// How many passwords are hashed at once.
    ///
    /// A flood of wrong ones then takes two threads and no more; the others wait for one of these.
    package static let parallelLimit = 2
    /// Of how many users it is remembered that their password was right.
    static let memoryLimit = 1024

    private struct State {
        var file: HtpasswdFile
        /// The file when it was last read; nil where it has to be read again whatever it looks like.
        var seen: FileStamp?
        /// Why it could not be read.
        var failure: HtpasswdError?
        /// What proves the last right password of a user.
        var proofs: [[UInt8]: Digest] = [:]
    }

    /// A question that is to be answered by bcrypt.
    private struct Attempt: Sendable {
        let user: [UInt8]
        let password: String
        /// Nil where there is no such user.
        let hash: PasswordHash?
        let nobody: PasswordHash
        let proof: Digest?
    }

    private enum Answer {
        case known(Bool)
        case open(Attempt)
    }

    private let path: String
    private let onReloadFailure: @Sendable (HtpasswdError) -> Void
    private let state: Mutex<State>
    /// Where passwords are hashed.
    let lanes = (0..<parallelLimit).map { DispatchQueue(label: "dev.drayage.password.\($0)") }
    private let turn = Atomic(0)
    /// What makes the proofs worthless to whoever gets hold of them alone.
    private let key: [UInt8]

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: the file, of which every line is `user:hash`, blank, or a comment after `#`.
    ///   - onReloadFailure: hears once of each reason for which a changed file is not taken over; on the thread that asked.
    /// - Throws: ``HtpasswdError``.
    package init(
        path: String,
        onReloadFailure: @escaping @Sendable (HtpasswdError) -> Void = { _ in }
    ) throws(HtpasswdError) {
        let file = try HtpasswdFile(path: path)
        var generator = SystemRandomNumberGenerator()
        key = (0..<32).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
        self.path = path
        self.onReloadFailure = onReloadFailure
        state = Mutex(State(file: file, seen: file.stamp.isSettled ? file.stamp : nil))
    }

    /// Whether a password is the user's; it may block for the seconds that bcrypt takes, and for a turn to run it.
    ///
    /// An unknown user takes as long as the known one whose hash is the dearest. Passwords with a NUL or of more than 511
    /// bytes are nobody's; of those beyond 72 bytes bcrypt takes the beginning, as it did when they were set.
    package func verify(user: String, password: String) -> Bool {
        switch answer(user: user, password: password) {
        case .known(let isRight): isRight
        case .open(let attempt): nextLane.sync { isRight(attempt) }
        }
    }

    /// The same without blocking a thread of the caller: for whoever has none to spare for a flood of wrong passwords.
    ///
    /// Where bcrypt need not run it answers at once. How many wait is for the caller to bound, as by its connections.
    package func verify(user: String, password: String) async -> Bool {
        switch answer(user: user, password: password) {
        case .known(let isRight): isRight
        case .open(let attempt):
            await withCheckedContinuation { continuation in
                nextLane.async { continuation.resume(returning: self.isRight(attempt)) }
            }
        }
    }

    private var nextLane: DispatchQueue {
        lanes[turn.wrappingAdd(1, ordering: .relaxed).oldValue & Int.max % lanes.count]
    }

    /// What can be said without bcrypt.
    private func answer(user: String, password: String) -> Answer {
        guard PasswordHash.isHashable(password) else { return .known(false) }
        let file = currentFile()
        let user = Array(user.utf8)
        let hash = file.hashes[user]
        let attempt = Attempt(
            user: user,
            password: password,
            hash: hash,
            nobody: file.nobody,
            proof: hash.flatMap { proof(of: password, user: user, hash: $0) }
        )
        return isProven(attempt) ? .known(true) : .open(attempt)
    }

    private func isRight(_ attempt: Attempt) -> Bool {
        // A client sends a dozen requests at once: the first to be answered answers for all.
        if isProven(attempt) { return true }
        guard let hash = attempt.hash else {
            _ = attempt.nobody.matches(attempt.password)
            return false
        }
        guard hash.matches(attempt.password) else { return false }
        remember(attempt)
        return true
    }

    private func isProven(_ attempt: Attempt) -> Bool {
        guard let proof = attempt.proof else { return false }
        return state.withLock { $0.proofs[attempt.user] == proof }
    }

    private func remember(_ attempt: Attempt) {
        state.withLock { state in
            // Which one goes does not matter: it costs its user one bcrypt.
            if state.proofs.count >= Self.memoryLimit, state.proofs[attempt.user] == nil {
                state.proofs.remove(at: state.proofs.startIndex)
            }
            state.proofs[attempt.user] = attempt.proof
        }
    }

    /// What only who has the password can make, of this process alone; nil where it cannot be computed.
    ///
    /// The hash is part of it, so that nothing has to be forgotten when a user's password changes.
    private func proof(of password: String, user: [UInt8], hash: PasswordHash) -> Digest? {
        let hasher = DigestHasher(algorithm: .sha256)
        for bytes in [key, hash.text, Array("\(user.count):".utf8), user] {
            unsafe bytes.withUnsafeBytes { unsafe hasher.update($0) }
        }
        var password = password
        password.withUTF8 { unsafe hasher.update(UnsafeRawBufferPointer($0)) }
        // Without a proof bcrypt answers each time.
        return try? hasher.finish()
    }

    /// The file as it is now, or was while it could be read.
    private func currentFile() -> HtpasswdFile {
        let (file, failure) = state.withLock { state -> (HtpasswdFile, HtpasswdError?) in
            let stamp = FileStamp(path: path)
            if let stamp, stamp == state.seen { return (state.file, nil) }
            do throws(HtpasswdError) {
                let file = try HtpasswdFile(path: path)
                state.file = file
                state.seen = file.stamp.isSettled ? file.stamp : nil
                state.failure = nil
                state.proofs = state.proofs.filter { file.hashes[$0.key] != nil }
                return (file, nil)
            } catch {
                let isNew = state.failure != error
                state.seen = stamp?.isSettled == true ? stamp : nil
                state.failure = error
                return (state.file, isNew ? error : nil)
            }
        }
        if let failure { onReloadFailure(failure) }
        return file
    }
}
