/// A registry that runs on this machine for one test, and whose storage can be looked into.
package protocol LocalRegistry: Sendable {
    /// The host and the port.
    var address: String { get }
    /// What it holds.
    var storage: RegistryStorage { get }
    /// The certificate of its authority in PEM; nil without TLS.
    var certificateAuthorityPath: String? { get }

    /// Ends the registry when it has answered what it was asked, and gives every request, those answered first first.
    ///
    /// Requests that were answered at the same time may be in either order.
    func finish() async throws -> [LoggedRequest]
}

extension LocalRegistry {
    /// Adds an image and gives its reference.
    @discardableResult
    package func add(_ image: TestImage, _ repository: String, tag: String = "1") throws -> String {
        try storage.add(image, repository: repository, tag: tag)
        return "\(address)/\(repository):\(tag)"
    }
}

/// How a registry of a test is set up.
package struct RegistryOptions: Sendable {
    /// Who may come in; everybody where it is nil.
    package var user: (name: String, password: String)?
    /// Whether it speaks TLS, with a certificate of its own authority.
    package var usesTLS = false
    /// Whether manifests and blobs may be deleted.
    package var allowsDelete = true
    /// Whether it refuses every change.
    package var isReadOnly = false
    /// The registry in plain HTTP for which it is a pull-through mirror: docker-registry alone can be one.
    package var upstream: String?
    /// The token server that it sends everybody to: docker-registry alone does that.
    package var tokens: JWTIssuer.Trust?
    /// Where it listens: `127.0.0.1` or `[::1]`.
    package var host = "127.0.0.1"
    /// What its certificate is for.
    package var certificateNames = TestCertificate.ownNames

    /// An open registry.
    package init(
        user: (name: String, password: String)? = nil,
        usesTLS: Bool = false,
        allowsDelete: Bool = true,
        isReadOnly: Bool = false,
        upstream: String? = nil,
        host: String = "127.0.0.1"
    ) {
        self.user = user
        self.usesTLS = usesTLS
        self.allowsDelete = allowsDelete
        self.isReadOnly = isReadOnly
        self.upstream = upstream
        self.host = host
    }

    /// Writes the file of the one user, where there is one, and gives its path.
    @discardableResult
    package func passwordFile(in scratch: ScratchDirectory) throws -> String? {
        guard let user else { return nil }
        let line = try Command("htpasswd", ["-nbB", "-C", "4", user.name, user.password]).check().output
        return try scratch.write(line, to: "htpasswd")
    }
}
