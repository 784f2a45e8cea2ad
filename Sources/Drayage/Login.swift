import FoundationEssentials
import RegistryClient

/// Stores who we are at a registry, and forgets it, where docker and podman look for it too.
public struct Login: Sendable {
    private let connections: ConnectionOptions

    /// Makes it.
    ///
    /// - Parameter connections: how registries are reached, and in which file credentials are kept.
    public init(connections: ConnectionOptions = .init()) { self.connections = connections }

    /// Asks a registry whether it takes a user name and a password, and stores them.
    ///
    /// - Parameters:
    ///   - target: the registry; with a prefix, they are stored for what is below it.
    ///   - username: the user name.
    ///   - password: the password.
    /// - Returns: a report, in whose notes stands where they are kept.
    /// - Throws: `RegistryError` where the registry does not take them, and nothing is stored; `CredentialsError`.
    public func login(to target: RegistryTarget, username: String, password: String) async throws -> Report {
        let path = try destination
        var connections = connections
        connections.setScheme(of: target)
        // For the registry as a whole, which is what is asked.
        connections.setCredentials(username: username, password: password, for: target.registry)
        // Better now than after the password has travelled.
        try await store.requirePlace(for: target.description, in: path)
        // What files have is not asked, and one that cannot be read is no obstacle.
        connections.readsCredentialFiles = false
        let welcome = try await RegistryClient.withClient(connections.clientConfiguration(for: [target.registry])) {
            try await $0.greet(target.registry)
        }
        let place = try await store.store(
            username: username,
            password: password,
            for: target.description,
            in: path
        )
        var report = Report(command: "login")
        report.target = target.description
        if welcome == .unasked {
            report.notes.append("\(target.registry) did not ask who is there, so the password is stored unchecked")
        }
        report.notes.append("logged in to \(target) as \(username), which is kept in \(place)")
        await noteOthers(than: place, at: path, target, in: &report) {
            "but \($0) has other credentials for \(target), which are found first"
        }
        return report
    }

    /// Removes what is stored for a registry.
    ///
    /// - Returns: a report, in whose notes stands what was removed, and what is left elsewhere.
    /// - Throws: `CredentialsError`.
    public func logout(of target: RegistryTarget) async throws -> Report {
        let path = try destination
        let places = try await store.remove(target.description, from: path)
        var report = Report(command: "logout")
        report.target = target.description
        report.notes =
            places.isEmpty
            ? ["\(path) has no credentials for \(target)"]
            : ["removed the credentials for \(target) from \(places.joined(separator: " and "))"]
        await noteOthers(than: nil, at: path, target, in: &report) {
            "there are still credentials for \(target), in \($0)"
        }
        return report
    }

    /// Notes where else credentials are found by now, and before those of a place.
    private func noteOthers(
        than place: String?,
        at path: String,
        _ target: RegistryTarget,
        in report: inout Report,
        _ text: (_ source: String) -> String
    ) async {
        do {
            let found = try await remaining(beside: path)?.credentials(for: target.registry, path: target.prefix)
            if let found, found.source != place { report.notes.append(text(found.source)) }
        } catch {
            // What was to be done is done.
            report.notes.append("what other files have is not known: \(error)")
        }
    }

    /// What would be found now; nil where the one file that is asked is not there.
    private func remaining(beside path: String) throws -> CredentialStore? {
        let isNamed = connections.authFile != nil || connections.environment.value(of: "REGISTRY_AUTH_FILE") != nil
        guard !isNamed || FileManager.default.fileExists(atPath: path) else { return nil }
        return try connections.credentialStore()
    }

    private var destination: String {
        get throws {
            try CredentialFiles.destination(named: connections.authFile, environment: connections.environment)
        }
    }

    private var store: CredentialStore {
        CredentialStore(
            // A file that is named is where they are to be.
            helpers: connections.authFile == nil ? connections.credentialHelpers : .init(),
            environment: connections.environment,
            logger: connections.logger
        )
    }
}
