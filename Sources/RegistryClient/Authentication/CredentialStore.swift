import FoundationEssentials
package import Logging
import OCI

/// Everything that says who we are: what the user gave for single registries, then the files of docker and podman and
/// the helpers that they name.
///
/// The longest key that matches a repository counts, in whichever file it is, also before a helper that knows its host
/// alone; of two of a length the one in the file that is asked first. What cannot be used is a warning, and the next is asked.
package actor CredentialStore {
    private let given: [String: Credentials]
    private let files: [CredentialFile]
    private let helpers: CredentialHelpers
    private let environment: [String: String]
    private let logger: Logger
    private let helperTimeout: Duration
    /// What the helpers have answered.
    private var answers: [Question: Credentials?] = [:]
    /// What was refused and is asked for again, and when that was.
    private var refusals: [Question: (answer: Credentials, time: ContinuousClock.Instant)] = [:]
    /// How long a helper is not asked again whose answer is refused again: what it gives is good for longer.
    private static let renewalInterval = Duration.seconds(300)
    /// One helper at a time: it may ask a person.
    private nonisolated let turn = RequestSlots(limit: 1)
    private var warnings: Set<String> = []

    private struct Question: Hashable {
        let helper: String
        let server: String
    }

    /// Puts together what is known.
    ///
    /// - Parameters:
    ///   - given: what the user gave, by registry, or by registry and the beginning of a path.
    ///   - files: the files, in the order in which they are asked.
    ///   - helpers: the helpers that are asked for every registry, besides those that files name.
    ///   - environment: the environment of helpers.
    ///   - helperTimeout: how long a helper may take.
    ///   - logger: where warnings go.
    package init(
        given: [String: Credentials] = [:],
        files: [CredentialFile] = [],
        helpers: CredentialHelpers = .init(),
        environment: [String: String] = [:],
        helperTimeout: Duration = .seconds(60),
        logger: Logger
    ) {
        self.given = Dictionary(given.map { (CredentialKey.normalized($0), $1) }) { first, _ in first }
        self.files = files
        self.helpers = helpers
        self.environment = environment
        self.helperTimeout = helperTimeout
        self.logger = logger
    }

    /// The credentials for a repository, or for a registry as a whole; nil where there are none.
    ///
    /// - Parameters:
    ///   - registry: the registry.
    ///   - path: the repository's path; nil for what concerns the registry as a whole.
    ///   - refused: credentials that the registry has refused; the helper that gave them is asked again, once.
    /// - Returns: the credentials.
    /// - Throws: `CancellationError` alone.
    package func credentials(
        for registry: String,
        path: String?,
        refused: Credentials? = nil
    ) async throws -> Credentials? {
        if let refused { forget(refused) }
        let keys = CredentialKey.all(registry, path)
        if let found = keys.lazy.compactMap({ self.given[$0] }).first { return found }
        for key in keys {
            let isHost = key == keys.last
            if isHost, let found = try await ask(helpers.beforeFiles, for: key) { return found }
            for file in files {
                if let found = try await credentials(in: file, for: key) { return found }
            }
            if isHost, let found = try await ask(helpers.afterFiles, for: key) { return found }
        }
        return nil
    }

    /// Forgets what a helper has answered, though not again and again: what it gives may be good for an hour alone.
    private func forget(_ refused: Credentials) {
        let now = ContinuousClock.now
        for case (let question, let answer?) in answers where answer.kind == refused.kind {
            if let last = refusals[question]?.time, now < last + Self.renewalInterval { continue }
            answers[question] = nil
            refusals[question] = (answer, now)
        }
    }

    private func ask(_ names: [String], for key: String) async throws -> Credentials? {
        for name in names {
            if let found = try await ask(name, named: "registries.conf", for: key) { return found }
        }
        return nil
    }

    /// Finds out whether credentials can be stored in a file, or with the helper that it names.
    ///
    /// - Throws: ``CredentialsError``.
    package func requirePlace(for key: String, in path: String) throws(CredentialsError) {
        _ = try CredentialFileEdit(path: path)
        let own = CredentialKey.normalized(key)
        guard let host = own.split(separator: "/").first.map(String.init), host != own,
            try helper(for: own, in: path) == nil, let helper = try helper(for: host, in: path)
        else { return }
        // Docker and podman ask helpers for hosts alone, and whoever has one does not want passwords in a file.
        throw CredentialsError(
            operation: "storing credentials in",
            path: path,
            reason: "\(helper.program) keeps those of \(host), but none for a path; --authfile names another file"
        )
    }

    /// Stores a user name and a password for a registry, or for what is below a path there, where docker and podman find
    /// them too.
    ///
    /// - Parameters:
    ///   - username: the user name.
    ///   - password: the password.
    ///   - key: the registry, or the registry and the beginning of a path.
    ///   - path: the file; where it names a helper for the registry, the helper keeps them.
    /// - Returns: where they are, for a message.
    /// - Throws: ``CredentialsError``, `CancellationError`.
    package func store(username: String, password: String, for key: String, in path: String) async throws -> String {
        try requirePlace(for: key, in: path)
        var edit = try CredentialFileEdit(path: path)
        guard let helper = try helper(for: key, in: path) else {
            edit.set(username: username, password: password, for: key)
            try edit.write()
            return path
        }
        try await helper.store(
            CredentialKey.server(of: CredentialKey.normalized(key)),
            username: username,
            secret: password
        )
        // What the file had before must not outlive it there.
        if edit.remove(key) { try edit.write() }
        return helper.program
    }

    /// Removes what a file, or the helper that it names, has for a registry, or for what is below a path there.
    ///
    /// - Returns: where it was, for messages; nothing where there was nothing.
    /// - Throws: ``CredentialsError``, `CancellationError`.
    package func remove(_ key: String, from path: String) async throws -> [String] {
        var places: [String] = []
        if let helper = try helper(for: key, in: path) {
            let server = CredentialKey.server(of: CredentialKey.normalized(key))
            if try await helper.get(server) != nil {
                try await helper.erase(server)
                places.append(helper.program)
            }
        }
        var edit = try CredentialFileEdit(path: path)
        if edit.remove(key) {
            try edit.write()
            places.append(path)
        }
        return places
    }

    private func helper(for key: String, in path: String) throws(CredentialsError) -> CredentialHelper? {
        let isThere = FileManager.default.fileExists(atPath: path)
        let file = try CredentialFile.parse(isThere ? try CredentialFiles.read(path) : [], path: path)
        let key = CredentialKey.normalized(key)
        // As podman has it, a helper that goes before all files keeps what is stored; helpers know hosts alone.
        let common = key.utf8.contains(UInt8(ascii: "/")) ? nil : helpers.beforeFiles.first
        guard let name = file.helper(for: key) ?? common else { return nil }
        return try CredentialHelper(name: name, environment: environment, timeout: helperTimeout)
    }

    private func credentials(in file: CredentialFile, for key: String) async throws -> Credentials? {
        if let helper = file.helper(for: key), let found = try await ask(helper, named: file.path, for: key) {
            return found
        }
        switch file.entry(for: key) {
        case .credentials(let credentials): return credentials
        case .unusable(let reason):
            warn("the entry for \(key) in \(file.path) is passed over: \(reason)")
            return nil
        case .empty, nil: return nil
        }
    }

    private func ask(_ name: String, named file: String, for key: String) async throws -> Credentials? {
        let question = Question(helper: name, server: CredentialKey.server(of: key))
        // Nobody waits for a helper that asks a person about another registry.
        if let answer = answers[question] { return answer }
        return try await turn.withSlot {
            if let answer = answers[question] { return answer }
            var answer: Credentials?
            do {
                let helper = try CredentialHelper(name: name, environment: environment, timeout: helperTimeout)
                answer = try await helper.get(question.server)
            } catch let error as CredentialsError {
                warn("\(error); \(file) names it, and what it keeps for \(key) is not used")
                // What was refused in one place may be good in others.
                answer = refusals[question]?.answer
            }
            answers[question] = .some(answer)
            return answer
        }
    }

    /// Warns, once.
    private func warn(_ text: String) {
        guard warnings.insert(text).inserted else { return }
        logger.warning("\(text.printable)")
    }
}
