import FoundationEssentials
package import Logging
import OCI

/// Everything that says who we are: what the user gave for single registries, then the files of docker and podman and
/// the helpers that they name.
///
/// The longest key that matches a repository counts, in whichever file it is; of two of a length the one in the file that
/// is asked first. What cannot be used is a warning, and the next is asked.
package actor CredentialStore {
    private let given: [String: Credentials]
    private let files: [CredentialFile]
    private let environment: [String: String]
    private let logger: Logger
    private let helperTimeout: Duration
    /// What the helpers have answered.
    private var answers: [Question: Credentials?] = [:]
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
    ///   - environment: the environment of helpers.
    ///   - helperTimeout: how long a helper may take.
    ///   - logger: where warnings go.
    package init(
        given: [String: Credentials] = [:],
        files: [CredentialFile] = [],
        environment: [String: String] = [:],
        helperTimeout: Duration = .seconds(60),
        logger: Logger
    ) {
        self.given = Dictionary(given.map { (CredentialKey.normalized($0), $1) }) { first, _ in first }
        self.files = files
        self.environment = environment
        self.helperTimeout = helperTimeout
        self.logger = logger
    }

    /// The credentials for a repository, or for a registry as a whole; nil where there are none.
    ///
    /// - Parameters:
    ///   - registry: the registry.
    ///   - path: the repository's path; nil for what concerns the registry as a whole.
    /// - Returns: the credentials.
    /// - Throws: `CancellationError` alone.
    package func credentials(for registry: String, path: String?) async throws -> Credentials? {
        let keys = CredentialKey.all(registry, path)
        if let found = keys.lazy.compactMap({ self.given[$0] }).first { return found }
        for key in keys {
            for file in files {
                if let found = try await credentials(in: file, for: key) { return found }
            }
        }
        return nil
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
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let file = try CredentialFile.parse(try CredentialFiles.read(path), path: path)
        guard let name = file.helper(for: CredentialKey.normalized(key)) else { return nil }
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
