import ArgumentParser
import Drayage

/// `drayage login`: who we are at a registry is stored.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Store a user name and a password for a registry.",
        discussion: """
            The registry is asked first whether it takes them. They are kept where docker and podman find them too: in \
            the file of --authfile or $REGISTRY_AUTH_FILE, else in docker's config.json; where that names a credential \
            helper, or containers' registries.conf one that goes before all files, the helper keeps them. With a path, they are for what is below it.

            Example:

              drayage login registry.site:5000
              echo "$PASSWORD" | drayage login quay.io/team -u robot --password-stdin
            """
    )

    @Argument(help: "REGISTRY[/PATH].")
    var registry: String

    @OptionGroup(title: "Registries") var connection: ConnectionArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws { try connection.identity.requireOnlyUser(of: "login") }

    func run() async throws {
        try await report.run("login") { progress in
            let target = try RegistryTarget(parsing: registry)
            var connections = try connection.options(logger: report.logger)
            connections.authFile = connection.identity.authfile
            // Nothing may be drawn over the questions.
            progress(.awaitingApproval)
            let (username, password) = try await connection.identity.user(for: target.description)
            return try await Login(connections: connections).login(to: target, username: username, password: password)
        }
    }
}

/// `drayage logout`: what is stored for a registry is removed.
struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Remove the credentials that are stored for a registry.",
        discussion: """
            They are removed from where login stores them; what other files have is named.

            Example:

              drayage logout registry.site:5000
            """
    )

    @Argument(help: "REGISTRY[/PATH].")
    var registry: String

    @Option(
        help: ArgumentHelp("The file of credentials; else $REGISTRY_AUTH_FILE or docker's own.", valueName: "file"),
        completion: .file()
    )
    var authfile: String?

    @OptionGroup(title: "Output") var report: ReportArguments

    func run() async throws {
        try await report.run("logout") { _ in
            var connections = ConnectionOptions()
            connections.authFile = authfile
            connections.logger = report.logger
            return try await Login(connections: connections).logout(of: RegistryTarget(parsing: registry))
        }
    }
}
