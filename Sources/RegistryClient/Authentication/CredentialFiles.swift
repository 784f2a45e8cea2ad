import FoundationEssentials
import Glibc

/// Where docker and podman keep credentials.
///
/// Spec: containers-auth.json(5); docker's command line reference, "Configuration files".
package struct CredentialFiles: Sendable {
    /// A place, and what is there.
    private struct Place {
        let path: String
        var isLegacy = false
        /// Whether the user has named it: then it must be there.
        var isNamed = false
    }

    /// The variable that holds what docker's file else holds, as build servers set it.
    private static let textVariable = "DOCKER_AUTH_CONFIG"

    /// Reads the files that there are, in the order in which they are asked.
    ///
    /// - Parameters:
    ///   - named: the one file to read, as the user named it; nil for `$REGISTRY_AUTH_FILE`, and where that is not set
    ///     for all places: what `$DOCKER_AUTH_CONFIG` itself holds, podman's for this login, podman's and docker's for
    ///     this user, and docker's first.
    ///   - environment: the environment that says where they are.
    ///   - warn: is told what is passed over.
    /// - Returns: the files.
    /// - Throws: ``CredentialsError`` for a file that is there but cannot be read, or is named by the user but not there.
    package static func load(
        named: String?,
        environment: [String: String],
        warn: (String) -> Void = { _ in }
    ) throws(CredentialsError) -> [CredentialFile] {
        var files: [CredentialFile] = []
        if named == nil, environment.value(of: "REGISTRY_AUTH_FILE") == nil,
            let text = environment.value(of: textVariable)
        {
            do throws(CredentialsError) {
                files.append(try .parse(Array(text.utf8), path: textVariable).withoutHelpers)
            } catch {
                // Some build servers put the name of a file there.
                warn("\(error); it is passed over")
            }
        }
        for place in places(named: named, environment: environment)
        where place.isNamed || FileManager.default.fileExists(atPath: place.path) {
            let text = try read(place.path)
            files.append(
                try place.isLegacy
                    ? .parse(legacy: text, path: place.path)
                    : .parse(text, path: place.path)
            )
        }
        return files
    }

    /// The file into which credentials are stored: the one that the user named, else docker's.
    ///
    /// - Throws: ``CredentialsError`` where there is no home for one.
    package static func destination(
        named: String?,
        environment: [String: String]
    ) throws(CredentialsError) -> String {
        if let path = named ?? environment.value(of: "REGISTRY_AUTH_FILE") ?? docker(environment) { return path }
        throw CredentialsError(
            operation: "storing credentials in",
            path: "~/.docker/config.json",
            reason: "HOME is not set; --authfile names a file"
        )
    }

    private static func places(named: String?, environment: [String: String]) -> [Place] {
        if let named { return [Place(path: named, isNamed: true)] }
        // It may be where the first login is to put them.
        if let path = environment.value(of: "REGISTRY_AUTH_FILE") { return [Place(path: path)] }
        let session = environment.value(of: "XDG_RUNTIME_DIR").map { $0 + "/containers/auth.json" }
        return [
            Place(path: session ?? "/run/containers/\(getuid())/auth.json"),
            environment.settingsFolder.map { Place(path: $0 + "/containers/auth.json") },
            docker(environment).map { Place(path: $0) },
            environment.value(of: "HOME").map { Place(path: $0 + "/.dockercfg", isLegacy: true) },
        ].compactMap(\.self)
    }

    private static func docker(_ environment: [String: String]) -> String? {
        let folder = environment.value(of: "DOCKER_CONFIG") ?? environment.value(of: "HOME").map { $0 + "/.docker" }
        return folder.map { $0 + "/config.json" }
    }

    /// The bytes of a file.
    static func read(_ path: String) throws(CredentialsError) -> [UInt8] {
        guard FileManager.default.fileExists(atPath: path) else {
            throw CredentialsError(path: path, reason: "there is no such file")
        }
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw CredentialsError(path: path, reason: "it cannot be read")
        }
        return Array(bytes)
    }
}
