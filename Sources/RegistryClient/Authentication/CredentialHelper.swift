import FoundationEssentials
import OCI
import Subprocess
import SystemPackage

/// A program that keeps credentials: `docker-credential-<name>`.
///
/// What is asked, and what is stored, goes through its standard input; no secret is an argument.
///
/// Spec: docker's command line reference, "Credential helpers".
struct CredentialHelper: Sendable {
    /// The most bytes that a helper may print.
    private static let outputLimit = 1 << 20
    /// What helpers print where they have nothing for a registry.
    private static let notFound = "credentials not found in native keychain"
    /// The user name that says that the secret is an identity token.
    private static let tokenUser = "<token>"

    /// The name, without `docker-credential-`.
    let name: String
    private let environment: [String: String]
    private let timeout: Duration

    /// The program's name.
    var program: String { "docker-credential-\(name)" }

    /// Takes a helper's name from a file.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - environment: the environment of the program, and where it is looked for.
    ///   - timeout: how long it may take. Some ask a person for a passphrase.
    /// - Throws: ``CredentialsError`` where it could be a path, or anything but a name.
    init(
        name: String,
        environment: [String: String],
        timeout: Duration = .seconds(60)
    ) throws(CredentialsError) {
        let isName = name.utf8.allSatisfy {
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.".utf8.contains($0)
        }
        guard isName, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 100 else {
            throw CredentialsError(
                operation: "asking",
                path: "the credential helper \"\(name.printableExcerpt)\"",
                reason: "that is no name of a helper"
            )
        }
        self.name = name
        self.environment = environment
        self.timeout = timeout
    }

    /// The credentials for a registry; nil where it has none.
    ///
    /// - Throws: ``CredentialsError``, `CancellationError`.
    func get(_ server: String) async throws -> Credentials? {
        struct Answer: Decodable {
            let username: String
            let secret: String

            private enum CodingKeys: String, CodingKey {
                case username = "Username"
                case secret = "Secret"
            }
        }
        let (output, errors, isSuccess) = try await run("get", input: server)
        guard isSuccess else {
            if Self.text(output).contains(Self.notFound) { return nil }
            // What has the form of an answer may hold a secret.
            let isAnswer = output.contains(UInt8(ascii: "{"))
            throw failure("asking", isAnswer ? "it failed after its answer" : Self.text(output, errors))
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output)) else {
            throw failure("asking", "its answer is not the JSON of a credential helper")
        }
        // A helper that knows the registry and has lost the secret.
        guard !answer.secret.isEmpty else { return nil }
        guard answer.username == Self.tokenUser else {
            return Credentials(username: answer.username, password: answer.secret, source: program)
        }
        guard Credentials.isToken(answer.secret) else { throw failure("asking", "its token is not one word") }
        return Credentials(.identityToken(answer.secret), source: program)
    }

    /// Gives it credentials to keep.
    ///
    /// - Throws: ``CredentialsError``, `CancellationError`.
    func store(_ server: String, username: String, secret: String) async throws {
        struct Entry: Encodable {
            let server: String
            let username: String
            let secret: String

            private enum CodingKeys: String, CodingKey {
                case server = "ServerURL"
                case username = "Username"
                case secret = "Secret"
            }
        }
        let entry = Entry(server: server, username: username, secret: secret)
        let text = String(decoding: try JSONEncoder().encode(entry), as: UTF8.self)
        let (output, errors, isSuccess) = try await run("store", input: text)
        guard isSuccess else {
            let said = Self.text(output, errors)
            throw failure("storing credentials with", said.contains(secret) ? "it failed" : said)
        }
    }

    /// Lets it forget what it keeps for a registry; it may have nothing.
    ///
    /// - Throws: ``CredentialsError``, `CancellationError`.
    func erase(_ server: String) async throws {
        let (output, errors, isSuccess) = try await run("erase", input: server)
        guard isSuccess || Self.text(output).contains(Self.notFound) else {
            throw failure("removing credentials with", Self.text(output, errors))
        }
    }

    private func run(
        _ action: String,
        input: String
    ) async throws -> (output: [UInt8], errors: [UInt8], isSuccess: Bool) {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(1))]
        let variables = environment.map { (Environment.Key(stringLiteral: $0), $1) }
        let source = try pipe(holding: input)
        do {
            return try await withThrowingTaskGroup { [options, timeout, program] group in
                group.addTask {
                    let result = try await Subprocess.run(
                        .name(program),
                        arguments: [action],
                        environment: .custom(Dictionary(variables) { first, _ in first }),
                        platformOptions: options,
                        input: .fileDescriptor(source, closeAfterSpawningProcess: true),
                        output: .bytes(limit: Self.outputLimit),
                        error: .bytes(limit: Self.outputLimit)
                    )
                    return (result.standardOutput, result.standardError, result.terminationStatus.isSuccess)
                }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw failure("asking", "it has not answered for \(timeout.components.seconds) s")
                }
                defer { group.cancelAll() }
                guard let result = try await group.next() else { throw CancellationError() }
                return result
            }
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            let isMissing = error.code == .executableNotFound
            throw failure("asking", isMissing ? "there is no such program on the PATH" : "\(error)")
        }
    }

    /// The reading end of a pipe that holds a text, and is closed behind it.
    ///
    /// A helper need not read what it is told, so nothing is written while it runs.
    private func pipe(holding text: String) throws -> FileDescriptor {
        // What a pipe holds on Linux without anybody reading.
        guard text.utf8.count <= 64 << 10 else { throw failure("asking", "there is too much to say") }
        guard let ends = try? FileDescriptor.pipe() else {
            throw failure("asking", "it cannot be told anything: no pipe")
        }
        let (source, sink) = (ends.readEnd, ends.writeEnd)
        do {
            try sink.closeAfter { _ = try sink.writeAll(text.utf8) }
            return source
        } catch {
            try? source.close()
            throw failure("asking", "\(error)")
        }
    }

    private func failure(_ operation: String, _ reason: String) -> CredentialsError {
        CredentialsError(operation: operation, path: program, reason: reason.printableExcerpt)
    }

    /// What it printed: most helpers print their errors where their answers go.
    private static func text(_ output: [UInt8], _ errors: [UInt8] = []) -> String {
        let texts = [output, errors].map { String(decoding: $0, as: UTF8.self).split(whereSeparator: \.isNewline) }
        return texts.lazy.compactMap(\.first).first.map(String.init) ?? "it failed without a word"
    }
}
