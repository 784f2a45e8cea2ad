import FoundationEssentials
import OCI

/// What proves to a registry who we are.
///
/// It never prints itself.
package struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The forms that there are.
    enum Kind: Hashable {
        case password(username: String, password: String)
        /// A refresh token, for which the token server gives others.
        case identityToken(String)
        /// A bearer token for the registry itself.
        case registryToken(String)
    }

    let kind: Kind
    /// Where they come from, as a message names it; it is no secret.
    package let source: String

    init(_ kind: Kind, source: String) {
        self.kind = kind
        self.source = source
    }

    /// A user name and a password.
    package init(username: String, password: String, source: String = "the command line") {
        self.init(.password(username: username, password: password), source: source)
    }

    /// A bearer token for the registry itself.
    ///
    /// - Throws: ``CredentialsError`` where it could not stand in a header.
    package init(token: String, source: String) throws(CredentialsError) {
        guard Self.isToken(token) else {
            throw CredentialsError(path: source, reason: "it holds no token: one word of plain characters")
        }
        self.init(.registryToken(token), source: source)
    }

    /// The same credentials, from elsewhere.
    func from(_ source: String) -> Self { Self(kind, source: source) }

    /// No secret.
    package var description: String { "credentials" }
    /// No secret.
    package var debugDescription: String { description }
    /// No secret: what `dump` and a crash would print.
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// The value of an `Authorization` header with the user name and the password, nil where there are none.
    ///
    /// Spec: RFC 7617.
    var basicAuthorization: String? {
        guard case .password(let username, let password) = kind else { return nil }
        return "Basic " + Data("\(username):\(password)".utf8).base64EncodedString()
    }

    /// The value of an `Authorization` header with the registry's own token, nil where there is none.
    ///
    /// Spec: RFC 6750.
    var bearerAuthorization: String? {
        guard case .registryToken(let token) = kind else { return nil }
        return "Bearer " + token
    }

    /// Whether they are what an `Authorization` header had.
    func are(_ authorization: String) -> Bool {
        basicAuthorization == authorization || bearerAuthorization == authorization
    }

    /// Whether a text may follow `Bearer` in a header: it must not be able to begin another.
    static func isToken(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } }

    /// Reads a file of credentials: one line `BEARER_TOKEN=…`, or `USERNAME=…` and `PASSWORD=…` in either order.
    ///
    /// A value goes to the end of its line and may hold anything, blanks and `=` among it; a last line end is no line.
    ///
    /// - Parameters:
    ///   - text: the file.
    ///   - path: its name, for messages.
    /// - Returns: the credentials.
    /// - Throws: ``CredentialsError``.
    package static func parse(lines text: [UInt8], path: String) throws(CredentialsError) -> Credentials {
        let form = CredentialsError(
            path: path,
            reason: "it must have one line BEARER_TOKEN=…, or two lines USERNAME=… and PASSWORD=…, and nothing else"
        )
        guard let decoded = String(validating: text, as: UTF8.self) else { throw form }
        var lines = decoded.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        if lines.last?.isEmpty == true { lines.removeLast() }
        var values: [Substring: String] = [:]
        for line in lines {
            guard let sign = line.utf8.firstIndex(of: UInt8(ascii: "=")) else { throw form }
            let value = String(line[line.utf8.index(after: sign)...])
            guard !value.isEmpty, values.updateValue(value, forKey: line[..<sign]) == nil else { throw form }
        }
        if values.count == 1, let token = values["BEARER_TOKEN"] { return try Credentials(token: token, source: path) }
        guard values.count == 2, let username = values["USERNAME"], let password = values["PASSWORD"] else {
            throw form
        }
        return Credentials(username: username, password: password, source: path)
    }
}

/// Credentials that cannot be read, or not be stored.
package struct CredentialsError: Error, Sendable, CustomStringConvertible {
    /// What was being done.
    package var operation = "reading the credentials in"
    /// The file, or the program.
    package let path: String
    /// What is wrong with it, without any of its content.
    package let reason: String

    /// One line: operation, subject, cause.
    package var description: String { "\(operation) \(path): \(reason)".printable }
}
