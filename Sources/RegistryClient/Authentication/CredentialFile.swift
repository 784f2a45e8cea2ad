import FoundationEssentials
import OCI

/// A file in which docker or podman keep credentials: `config.json`, `auth.json`, or docker's first, `.dockercfg`.
package struct CredentialFile: Sendable {
    /// What an entry is good for.
    enum Entry: Sendable {
        case credentials(Credentials)
        /// There is nothing in it: docker leaves such entries for what its helper keeps.
        case empty
        /// It cannot be used.
        case unusable(reason: String)
    }

    /// The file's path.
    package let path: String
    private let entries: [String: Entry]
    private let helpers: [String: String]
    private let store: String?

    /// Reads the text of a file.
    ///
    /// - Throws: ``CredentialsError`` when it is no such file at all; an entry that cannot be used is found when it is
    ///   looked for.
    package static func parse(_ text: [UInt8], path: String) throws(CredentialsError) -> CredentialFile {
        // One that was just made, as by mktemp, holds nothing yet.
        guard !text.isEmpty else { return CredentialFile(path: path, entries: [:], helpers: [:], store: nil) }
        do {
            let document = try JSONDecoder().decode(Document.self, from: Data(text))
            return CredentialFile(
                path: path,
                entries: byKey(document.auths ?? [:]).mapValues { $0.entry(source: path) },
                helpers: byKey(document.credHelpers ?? [:]),
                store: document.credsStore
            )
        } catch {
            throw CredentialsError(path: path, reason: "it is not the JSON that docker and podman write")
        }
    }

    /// Reads the text of a `.dockercfg`: the entries alone, or two lines from before there was JSON.
    ///
    /// - Throws: ``CredentialsError`` when it is neither.
    package static func parse(legacy text: [UInt8], path: String) throws(CredentialsError) -> CredentialFile {
        if let entries = try? JSONDecoder().decode([String: DockerEntry].self, from: Data(text)) {
            let entries = byKey(entries).mapValues { $0.entry(source: path) }
            return CredentialFile(path: path, entries: entries, helpers: [:], store: nil)
        }
        let line = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
        guard line.hasPrefix("auth = ") else {
            throw CredentialsError(path: path, reason: "it is neither the JSON nor the lines that docker wrote there")
        }
        let entry = DockerEntry(auth: String(line.dropFirst("auth = ".count))).entry(source: path)
        let key = CredentialKey.normalized(CredentialKey.dockerHubServer)
        return CredentialFile(path: path, entries: [key: entry], helpers: [:], store: nil)
    }

    /// The file without the helpers that it names.
    var withoutHelpers: CredentialFile { CredentialFile(path: path, entries: entries, helpers: [:], store: nil) }

    /// What the file has of its own for a key; nil where it has nothing.
    func entry(for key: String) -> Entry? { entries[key] }

    /// The name of the helper that keeps what belongs to a key; nil where none does.
    ///
    /// One that is named for the registry goes before the one for all.
    package func helper(for key: String) -> String? {
        let name = helpers[key] ?? (key.utf8.contains(UInt8(ascii: "/")) ? nil : store)
        // Docker takes an empty name for none, also in the place of the one for all.
        return name?.isEmpty == false ? name : nil
    }

    /// The values by the form of keys that is looked for; of several for one key the one that is written so counts, and
    /// then docker's own.
    private static func byKey<Value>(_ values: [String: Value]) -> [String: Value] {
        var result: [String: Value] = [:]
        // Sorted, so that the answer does not depend on the order of a dictionary.
        let keys = values.keys.sorted { rank($0) == rank($1) ? $0 < $1 : rank($0) < rank($1) }
        for key in keys where result[CredentialKey.normalized(key)] == nil {
            result[CredentialKey.normalized(key)] = values[key]
        }
        return result
    }

    private static func rank(_ key: String) -> Int {
        key == CredentialKey.normalized(key) ? 0 : key == CredentialKey.dockerHubServer ? 1 : 2
    }

    private struct Document: Decodable {
        let auths: [String: DockerEntry]?
        let credHelpers: [String: String]?
        let credsStore: String?

        private enum CodingKeys: String, CodingKey {
            case auths
            case credHelpers
            case credsStore
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            auths = try fields.decodeIfPresent([String: DockerEntry].self, forKey: .auths)
            // What is odd in these must not keep anybody from what is in the others.
            credHelpers = (try? fields.decodeIfPresent([String: String?].self, forKey: .credHelpers))?
                .compactMapValues(\.self)
            credsStore = try? fields.decodeIfPresent(String.self, forKey: .credsStore)
        }
    }
}

/// An entry as docker writes it.
private struct DockerEntry: Decodable {
    private let auth: String?
    private let username: String?
    private let password: String?
    private let identityToken: String?
    private let registryToken: String?
    /// Whether all fields are of the types that they should be.
    private let isWellFormed: Bool

    private enum CodingKeys: String, CodingKey {
        case auth
        case username
        case password
        case identityToken = "identitytoken"
        case registryToken = "registrytoken"
    }

    init(auth: String) {
        (self.auth, username, password, identityToken, registryToken, isWellFormed) = (auth, nil, nil, nil, nil, true)
    }

    init(from decoder: any Decoder) {
        // A value of another type is an entry that cannot be used, and not the end of the file.
        var isWellFormed = true
        let fields = try? decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) -> String? {
            do {
                let text = try fields?.decodeIfPresent(String.self, forKey: key)
                return text?.isEmpty == false ? text : nil
            } catch {
                isWellFormed = false
                return nil
            }
        }
        auth = text(.auth)
        username = text(.username)
        password = text(.password)
        identityToken = text(.identityToken)
        registryToken = text(.registryToken)
        self.isWellFormed = isWellFormed && fields != nil
    }

    func entry(source: String) -> CredentialFile.Entry {
        guard isWellFormed else { return .unusable(reason: "it is not what docker writes there") }
        if let token = registryToken { return Self.token(token, Credentials.Kind.registryToken, source) }
        if let token = identityToken { return Self.token(token, Credentials.Kind.identityToken, source) }
        guard let auth else {
            // Docker writes them nowhere, but reads them.
            guard let username else { return .empty }
            return .credentials(Credentials(username: username, password: password ?? "", source: source))
        }
        // Some tools break it into lines.
        let line = String(auth.filter { !$0.isNewline })
        guard let data = Data(base64Encoded: line) else {
            return .unusable(reason: "its auth is not in Base64")
        }
        let text = String(decoding: data, as: UTF8.self)
        // In UTF-8, for as a character the colon would hide behind an accent that follows it.
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            return .unusable(reason: "its auth is not a user name, a colon and a password in Base64")
        }
        // Docker pads some secrets with zero bytes.
        let password = String(text[text.utf8.index(after: colon)...].filter { $0 != "\0" })
        return .credentials(Credentials(username: String(text[..<colon]), password: password, source: source))
    }

    private static func token(
        _ text: String,
        _ kind: (String) -> Credentials.Kind,
        _ source: String
    ) -> CredentialFile.Entry {
        guard Credentials.isToken(text) else { return .unusable(reason: "its token is not one word") }
        return .credentials(Credentials(kind(text), source: source))
    }
}
