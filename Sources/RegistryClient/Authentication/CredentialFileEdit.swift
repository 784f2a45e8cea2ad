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
        var old = stat()
        // The administrator may change another's file, which stays theirs; nobody else can give files away.
        if unsafe stat(path, &old) == 0, old.st_uid != geteuid() { _ = fchown(descriptor, old.st_uid, old.st_gid) }
        guard fsync(descriptor) == 0 else { throw failure("writing it") }
        guard unsafe rename(temporary, path) == 0 else { throw failure("replacing it") }
        done = true
    }
}
