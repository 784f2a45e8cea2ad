import FoundationEssentials
import OCI

/// A user name and a password.
///
/// It never prints either.
package struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let username: String
    let password: String

    /// Puts credentials together.
    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// No secret.
    package var description: String { "credentials" }
    /// No secret.
    package var debugDescription: String { description }
    /// No secret: what `dump` and a crash would print.
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// The value of an `Authorization` header.
    ///
    /// Spec: RFC 7617.
    var basicAuthorization: String { "Basic " + Data("\(username):\(password)".utf8).base64EncodedString() }
}

/// The credentials of docker's `config.json`.
package struct DockerConfig: Sendable {
    /// The credentials by key: a host, or a URL whose host is meant.
    private let entries: [String: Credentials]

    /// No credentials.
    package static let empty = DockerConfig(entries: [:])

    /// Reads the file where docker has it: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    ///
    /// - Throws: ``CredentialsError`` when the file is there but cannot be read.
    package static func load(environment: [String: String]) throws(CredentialsError) -> DockerConfig {
        let folder = environment["DOCKER_CONFIG"] ?? environment["HOME"].map { $0 + "/.docker" }
        guard let path = folder.map({ $0 + "/config.json" }), FileManager.default.fileExists(atPath: path) else {
            return empty
        }
        guard let text = FileManager.default.contents(atPath: path) else {
            throw CredentialsError(path: path, reason: "it cannot be read")
        }
        return try parse(Array(text), path: path)
    }

    /// Reads the text of the file.
    ///
    /// An entry that cannot be read is passed over: the others are still good.
    ///
    /// - Throws: ``CredentialsError`` when the text is no such file at all.
    package static func parse(_ text: [UInt8], path: String) throws(CredentialsError) -> DockerConfig {
        do {
            let file = try JSONDecoder().decode(File.self, from: Data(text))
            return DockerConfig(entries: (file.auths ?? [:]).compactMapValues(\.credentials))
        } catch {
            throw CredentialsError(path: path, reason: "it is not the JSON that docker writes")
        }
    }

    /// The credentials for a registry, nil where there are none.
    package func credentials(for registry: String) -> Credentials? {
        let names = registry == "docker.io" ? ["index.docker.io", "docker.io", "registry-1.docker.io"] : [registry]
        for name in names {
            if let exact = entries[name] { return exact }
            // Sorted, so that the answer does not depend on the order of a dictionary.
            for key in entries.keys.sorted() where Self.host(of: key) == name { return entries[key] }
        }
        return nil
    }

    private static func host(of key: String) -> Substring {
        let rest = key.firstRange(of: "://").map { key[$0.upperBound...] } ?? key[...]
        return rest.prefix { $0 != "/" }
    }

    private struct File: Decodable {
        let auths: [String: Entry]?
    }

    private struct Entry: Decodable {
        let auth: String?
        let username: String?
        let password: String?
        let identityToken: String?

        private enum CodingKeys: String, CodingKey {
            case auth
            case username
            case password
            case identityToken = "identitytoken"
        }

        init(from decoder: any Decoder) {
            // A value of another type is an entry that cannot be read, and not the end of the file.
            let fields = try? decoder.container(keyedBy: CodingKeys.self)
            auth = try? fields?.decode(String.self, forKey: .auth)
            username = try? fields?.decode(String.self, forKey: .username)
            password = try? fields?.decode(String.self, forKey: .password)
            identityToken = try? fields?.decode(String.self, forKey: .identityToken)
        }

        var credentials: Credentials? {
            // Beside such a token the password is empty, and would only be refused.
            guard identityToken?.isEmpty != false else { return nil }
            if let username, let password, !username.isEmpty {
                return Credentials(username: username, password: password)
            }
            guard let auth, let data = Data(base64Encoded: auth) else { return nil }
            let text = String(decoding: data, as: UTF8.self)
            // In UTF-8, for as a character the colon would hide behind an accent that follows it.
            guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            // Docker pads some secrets with zero bytes.
            let password = text[text.utf8.index(after: colon)...].filter { $0 != "\0" }
            return Credentials(username: String(text[..<colon]), password: String(password))
        }
    }
}

/// A file of credentials that cannot be used.
package struct CredentialsError: Error, Sendable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What is wrong with it, without any of its content.
    package let reason: String

    /// One line: operation, subject, cause.
    package var description: String { "reading the credentials in \(path.printable): \(reason)" }
}
