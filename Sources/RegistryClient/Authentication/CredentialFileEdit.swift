import FoundationEssentials
import Glibc
import OCI

/// A file of credentials that is about to be changed: what it has of other things stays as it is.
package struct CredentialFileEdit {
    private let path: String
    private var document: [String: JSONValue]
    private var isChanged = false

    /// Reads a file; one that is not there is empty.
    ///
    /// - Throws: ``CredentialsError`` where it cannot be read, or is no such file.
    package init(path: String) throws(CredentialsError) {
        // A link stays one: some keep these files in a repository of their own.
        self.path = URL(filePath: path).resolvingSymlinksInPath().path
        guard FileManager.default.fileExists(atPath: path) else {
            document = [:]
            return
        }
        let text = try CredentialFiles.read(path)
        guard !text.isEmpty else {
            document = [:]
            return
        }
        _ = try CredentialFile.parse(text, path: path)
        guard let document = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text)) else {
            throw CredentialsError(path: path, reason: "it is not the JSON that docker and podman write")
        }
        self.document = document
    }

    private var entries: [String: JSONValue] {
        get { if case .object(let entries) = document["auths"] { entries } else { [:] } }
        set {
            guard newValue != entries else { return }
            document["auths"] = .object(newValue)
            isChanged = true
        }
    }

    /// Removes what the file itself has for a key, in whichever form.
    ///
    /// - Returns: whether there was anything.
    package mutating func remove(_ key: String) -> Bool {
        let others = entries.filter { CredentialKey.normalized($0.key) != CredentialKey.normalized(key) }
        defer { entries = others }
        return others.count < entries.count
    }

    /// Puts a user name and a password for a key, in place of what there was.
    ///
    /// - Parameters:
    ///   - username: the user name.
    ///   - password: the password.
    ///   - key: the registry, or a registry and the beginning of a path.
    package mutating func set(username: String, password: String, for key: String) {
        _ = remove(key)
        let auth = Data("\(username):\(password)".utf8).base64EncodedString()
        let key = CredentialKey.normalized(key)
        // Podman finds docker's name for Docker Hub as well, and docker no other.
        entries[CredentialKey.server(of: key)] = .object(["auth": .string(auth)])
    }

    /// Writes the file, for its owner alone: whole, or not at all.
    ///
    /// - Throws: ``CredentialsError``.
    package func write() throws(CredentialsError) {
        guard isChanged else { return }
        func failure(_ what: String) -> CredentialsError {
            let reason = unsafe String(cString: strerror(errno)).lowercased()
            return CredentialsError(operation: "storing credentials in", path: path, reason: "\(what): \(reason)")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(document) else {
            throw CredentialsError(operation: "storing credentials in", path: path, reason: "it has no form as JSON")
        }
        let folder = URL(filePath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CredentialsError(operation: "storing credentials in", path: path, reason: "\(folder) cannot be made")
        }
        let temporary = "\(path).\(getpid()).tmp"
        unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("making \(temporary)") }
        var done = false
        defer {
            close(descriptor)
            if !done { unsafe unlink(temporary) }
        }
        var rest = Array(text)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("writing it") }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw failure("writing it") }
        guard unsafe rename(temporary, path) == 0 else { throw failure("replacing it") }
        done = true
    }
}

/// Any JSON, so that what is not understood is kept.
private enum JSONValue: Codable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
