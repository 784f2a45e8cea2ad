import ArgumentParser
import Drayage

/// Who we are at registries.
///
/// No secret is an argument: whoever may list the processes of the machine would see it.
struct IdentityArguments: ParsableArguments {
    @Option(name: [.customShort("u"), .long], help: "The user name; else what docker and podman have stored counts.")
    var username: String?

    @Flag(help: "Read the password from stdin.")
    var passwordStdin = false

    @Option(help: ArgumentHelp("A file with a bearer token for the registry; - is stdin.", valueName: "file"))
    var token: String?

    @Option(
        help: ArgumentHelp(
            "A file with USERNAME=… and PASSWORD=…, or BEARER_TOKEN=…, on lines of their own.",
            valueName: "file"
        ),
        completion: .file()
    )
    var credentialsFile: String?

    @Option(
        help: ArgumentHelp(
            "Such a file for one registry of several, or for what is below a path there. Repeatable.",
            valueName: "registry=file"
        )
    )
    var creds: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            The one file of credentials to read, as docker and podman write it; else $REGISTRY_AUTH_FILE, and then \
            $DOCKER_AUTH_CONFIG and podman's and docker's own files with their credential helpers.
            """,
            valueName: "file"
        ),
        completion: .file()
    )
    var authfile: String?

    /// The option that gives credentials for a single registry; nil where none does.
    var single: String? {
        username != nil ? "--username" : token != nil ? "--token" : credentialsFile != nil ? "--credentials-file" : nil
    }

    /// Whether a secret is read from stdin.
    var readsStandardInput: Bool { passwordStdin || token == "-" }

    func validate() throws {
        guard [username, token, credentialsFile].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("Only one of --username, --token and --credentials-file can say who we are")
        }
        let registries = try creds.map { try CredentialsArgument($0).registry }
        guard Set(registries).count == registries.count else {
            throw ValidationError("--creds names a registry twice")
        }
    }

    /// Sets the credentials of the command line.
    ///
    /// - Throws: `ValidationError` where it is not clear for which registry, `CredentialsError`.
    func apply(to options: inout ConnectionOptions, registries: Set<String>) throws {
        guard (username != nil) == passwordStdin else {
            throw ValidationError("--username and --password-stdin go together")
        }
        options.authFile = authfile
        for argument in try creds.map({ try CredentialsArgument($0) }) {
            try options.setCredentials(
                lines: try Self.read(argument.file),
                for: argument.registry,
                from: argument.file
            )
        }
        guard let single else { return }
        guard let registry = registries.first, registries.count == 1 else {
            let names = registries.sorted().joined(separator: ", ")
            throw ValidationError(
                "\(single) is for one registry, and the images are from \(names); --creds is for several"
            )
        }
        if let username {
            options.setCredentials(username: username, password: try Self.password(), for: registry)
        } else if let token {
            // A name that is none may be the token itself.
            let text = Self.word(
                try token == "-" ? Self.standardInput("token") : Self.read(token, as: "the file of --token")
            )
            try options.setToken(text, for: registry, from: token == "-" ? "stdin" : token)
        } else if let credentialsFile {
            try options.setCredentials(lines: try Self.read(credentialsFile), for: registry, from: credentialsFile)
        }
    }

    /// Refuses what is no user with a password.
    func requireOnlyUser(of command: String) throws {
        if token != nil || credentialsFile != nil || !creds.isEmpty {
            throw ValidationError("\(command) takes a user name and a password: --username and --password-stdin")
        }
        guard !passwordStdin || username != nil else {
            throw ValidationError("--password-stdin needs --username")
        }
    }

    /// The user and the password of the command line; a person is asked for what is missing.
    ///
    /// - Throws: `ValidationError` where there is nobody to ask, `CancellationError`.
    func user(for registry: String) async throws -> (name: String, password: String) {
        guard passwordStdin || Prompt.isPossible else {
            throw ValidationError("There is no terminal to ask at: --username and --password-stdin say who is there")
        }
        let asked = username == nil ? try await Prompt.line("User name for \(registry): ") : ""
        let name = username ?? asked
        guard !name.isEmpty else { throw ValidationError("The user name is empty") }
        if passwordStdin { return (name, try Self.password()) }
        let password = try await Prompt.line("Password of \(name): ", isHidden: true)
        guard !password.isEmpty else { throw ValidationError("The password is empty") }
        return (name, password)
    }

    /// The password on stdin, without its line end.
    private static func password() throws -> String {
        let password = word(try standardInput("password"))
        guard !password.isEmpty else { throw ValidationError("The password on stdin is empty") }
        return password
    }

    private static func standardInput(_ what: String) throws -> [UInt8] {
        do {
            return try Input.read()
        } catch {
            throw ValidationError("No \(what) could be read from stdin: \(error)")
        }
    }

    private static func read(_ path: String, as name: String? = nil) throws -> [UInt8] {
        do {
            return try Input.read(file: path)
        } catch {
            throw CredentialsFileError(path: name ?? path, reason: "\(error)")
        }
    }

    private static func word(_ bytes: [UInt8]) -> String {
        var text = Substring(decoding: bytes, as: UTF8.self)
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}

/// `REGISTRY[/PATH]=FILE`.
struct CredentialsArgument {
    let registry: String
    let file: String

    /// Reads the text.
    ///
    /// - Throws: `ValidationError`, which does not hold the text: it may be a password that was given by mistake.
    init(_ text: String) throws {
        let form = ValidationError("--creds takes REGISTRY=FILE; the file says who we are there")
        guard let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { throw form }
        let name = String(text[..<sign])
        file = String(text[text.utf8.index(after: sign)...])
        guard let target = try? RegistryTarget(parsing: name), !name.contains("://"), !file.isEmpty else { throw form }
        registry = target.description
    }
}

/// A file of credentials that cannot be read.
struct CredentialsFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the credentials in \(path): \(reason)".printable }
}
