import NIOHTTP1

/// Who may read and who may write.
struct AccessControl: Sendable {
    /// The users; nil where there are none, and everybody may read.
    let users: Htpasswd?
    /// Whether reading needs no password although there are users.
    let allowsAnonymousReading: Bool
    /// Whether writing needs no password where there are no users.
    let allowsAnonymousWriting: Bool

    private static let challenge: HTTPHeaders = ["WWW-Authenticate": "Basic realm=\"drayage\", charset=\"UTF-8\""]

    /// Lets a request pass.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - route: what it is about.
    /// - Returns: the user, nil for an anonymous one.
    /// - Throws: ``APIError`` where it may not pass.
    func authorize(_ request: Request, _ route: Route) async throws -> String? {
        if case .health = route { return nil }
        let isWrite = route.isWrite(request.method)
        guard let users else {
            guard !isWrite || allowsAnonymousWriting else {
                throw APIError(
                    .forbidden,
                    .denied,
                    "this registry listens beyond loopback and has no passwords, so it takes no writes; "
                        + "--htpasswd or --allow-anonymous-write change that"
                )
            }
            return nil
        }
        let header = request.headers.first(name: "authorization")
        if let credentials = header.flatMap({ BasicCredentials(authorization: $0) }) {
            guard await users.verify(user: credentials.user, password: credentials.password) else {
                throw Self.refusal("the user name or the password is wrong")
            }
            return credentials.user
        }
        // Clients learn from this path that there are users, so it asks for one even where reading does not.
        if case .base = route { throw Self.refusal("a user name and a password are needed") }
        guard allowsAnonymousReading, !isWrite else { throw Self.refusal("a user name and a password are needed") }
        return nil
    }

    private static func refusal(_ message: String) -> APIError {
        APIError(.unauthorized, .unauthorized, message, headers: challenge)
    }
}
