import NIOHTTP1
import OCI

/// Who we are to one registry: finds out what it asks for, once, and keeps one token for each scope.
actor Authenticator {
    private enum Method {
        case unknown
        case none
        case basic
        case bearer(TokenServer)
    }

    private let endpoint: RegistryEndpoint
    private let credentials: Credentials?
    private let transport: HTTPTransport
    private var method = Method.unknown
    private var isProbing = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var tokens: [String: Token] = [:]
    private var fetches: [String: Task<Token, any Error>] = [:]

    init(endpoint: RegistryEndpoint, credentials: Credentials?, transport: HTTPTransport) {
        self.endpoint = endpoint
        self.credentials = credentials
        self.transport = transport
    }

    // MARK: - The first request

    /// Lets the first request to the registry go ahead and holds the others until it is known what the registry asks
    /// for; otherwise each of them would be turned away once.
    ///
    /// - Returns: whether the caller is the first, and owes a call of ``endProbe()``.
    func beginProbe() async -> Bool {
        guard case .unknown = method else { return false }
        guard isProbing else {
            isProbing = true
            return true
        }
        await withCheckedContinuation { waiting.append($0) }
        return false
    }

    /// Lets the others go.
    func endProbe() {
        isProbing = false
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    /// Notes that the registry answered without asking who we are.
    func noteAccepted() {
        if case .unknown = method { method = .none }
    }

    // MARK: - Authorization

    /// The value of the `Authorization` header for a request, nil where none is needed.
    ///
    /// - Throws: ``RegistryError`` when a token cannot be had.
    func authorization(for scopes: [String], context: RequestContext) async throws -> String? {
        switch method {
        case .unknown, .none: nil
        case .basic: credentials?.basicAuthorization
        case .bearer(let server): try await token(from: server, scopes: scopes, rejected: nil, context: context)
        }
    }

    /// Answers the challenges of a registry.
    ///
    /// - Parameters:
    ///   - challenges: what the registry asks for.
    ///   - scopes: what the request needs to be allowed.
    ///   - rejected: the authorization that the request had.
    ///   - context: what the request is made for.
    /// - Returns: the authorization to try next, nil where there is no other to try.
    /// - Throws: ``RegistryError`` when a token cannot be had or there are no credentials to answer with.
    func answer(
        to challenges: [Challenge],
        scopes: [String],
        rejected: String?,
        context: RequestContext
    ) async throws -> String? {
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            let server = try TokenServer(bearer, endpoint: endpoint, credentials: credentials, context: context)
            method = .bearer(server)
            let asked = bearer.parameters["scope"].map { $0.split(separator: " ").map(String.init) } ?? []
            let all = Set(scopes).union(asked).sorted()
            let next = try await token(from: server, scopes: all, key: scopes, rejected: rejected, context: context)
            return next == rejected ? nil : next
        }
        guard challenges.contains(where: { $0.scheme == "basic" }) else {
            let names = challenges.map(\.scheme).joined(separator: ", ")
            throw RegistryError(.unauthorized, context, reason: "the registry asks for \"\(names)\" authentication")
        }
        method = .basic
        guard let credentials else {
            throw RegistryError(
                .unauthorized,
                context,
                reason: "\(endpoint.registry) asks for a user name and a password, and there are none for it"
            )
        }
        return credentials.basicAuthorization == rejected ? nil : credentials.basicAuthorization
    }

    // MARK: - Tokens

    private func token(
        from server: TokenServer,
        scopes: [String],
        key: [String]? = nil,
        rejected: String?,
        context: RequestContext
    ) async throws -> String {
        let key = (key ?? scopes).sorted().joined(separator: " ")
        if let token = tokens[key], token.isUsable, token.authorization != rejected { return token.authorization }
        if let fetch = fetches[key] { return try await fetch.value.authorization }
        // A task of its own, because many requests wait for the one token: that one of them is cancelled must not
        // take it from the others.
        let fetch = Task { try await server.fetch(scopes: scopes, transport: transport, context: context) }
        fetches[key] = fetch
        defer { fetches[key] = nil }
        let token = try await fetch.value
        tokens[key] = token
        return token.authorization
    }
}
