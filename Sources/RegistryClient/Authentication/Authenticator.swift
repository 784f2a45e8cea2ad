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
    private let find: RegistryClient.CredentialFinder
    private let transport: HTTPTransport
    private var method = Method.unknown
    private var isProbed = false
    /// What the first request found, where no other would fare better.
    private var failure: RegistryError?
    /// How often the first request was tried in vain.
    private(set) var failureCount = 0
    private var tokens: [TokenKey: CachedToken] = [:]

    /// Held by the first request to the registry; the others wait until it is known what the registry asks for, because
    /// each of them would be turned away once.
    nonisolated let firstRequest = RequestSlots(limit: 1)

    /// What a token is good for.
    private struct TokenKey: Hashable {
        let server: TokenServer
        let scopes: [Scope]
    }

    /// The token of one scope, and who fetches it now.
    private final class CachedToken {
        let turn = RequestSlots(limit: 1)
        var token: Token?
        var attemptCount = 0
        var failure: (any Error)?

        func authorization(besides rejected: String?) -> String? {
            guard let token, token.isUsable(at: .now), token.authorization != rejected else { return nil }
            return token.authorization
        }
    }

    init(endpoint: RegistryEndpoint, find: @escaping RegistryClient.CredentialFinder, transport: HTTPTransport) {
        self.endpoint = endpoint
        self.find = find
        self.transport = transport
    }

    // MARK: - The first request

    /// Tells whether the first request to the registry has been made.
    ///
    /// - Parameters:
    ///   - context: what another request is made for.
    ///   - seen: the failures that the other request has seen: it shares the later ones, for which it waited.
    /// - Returns: whether it has been made.
    /// - Throws: ``RegistryError`` when it found that the registry cannot be reached at all.
    func isKnown(_ context: RequestContext, since seen: Int? = nil) throws -> Bool {
        guard !isProbed, let failure else { return isProbed }
        let isShared = seen.map { $0 != failureCount } ?? false
        if isShared || !RetryPolicy.isRetryable(failure) { throw failure.with(context, request: nil) }
        return false
    }

    /// Notes how the first request ended; one that was cancelled, or had to wait, tells nothing.
    func noteFirstRequest(failure: (any Error)?) {
        if failure is CancellationError || failure is HostGates.Closed { return }
        guard let failure = failure as? RegistryError, failure.concernsWholeRegistry, case .unknown = method else {
            isProbed = true
            return
        }
        self.failure = failure
        failureCount += 1
    }

    /// Notes that a request is not tried again: if it was to be the first, then no other is.
    func noteGivenUp(_ error: RegistryError) {
        if !isProbed, error.concernsWholeRegistry, failure != nil { failure = error }
    }

    /// Notes that the registry answered without asking who we are.
    func noteAccepted() {
        if case .unknown = method { method = .none }
    }

    // MARK: - Authorization

    /// Whether the registry has asked who we are.
    var wasAsked: Bool {
        switch method {
        case .unknown, .none: false
        case .basic, .bearer: true
        }
    }

    /// Who we are in the repository that a request is for.
    func credentials(for scopes: [Scope]) async throws -> Credentials? {
        try await find(endpoint.registry, scopes.path)
    }

    /// The value of the `Authorization` header for a request, nil where none is needed.
    ///
    /// - Throws: ``RegistryError`` when a token cannot be had.
    func authorization(for scopes: [Scope], context: RequestContext) async throws -> String? {
        switch method {
        case .unknown, .none: return nil
        case .basic:
            let credentials = try await credentials(for: scopes)
            return credentials?.bearerAuthorization ?? credentials?.basicAuthorization
        case .bearer(let server):
            let credentials = try await credentials(for: scopes)
            if let own = credentials?.bearerAuthorization { return own }
            return try await token(from: server, as: credentials, scopes: scopes, rejected: nil, context: context)
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
        scopes: [Scope],
        rejected: String?,
        context: RequestContext
    ) async throws -> String? {
        let credentials = try await credentials(for: scopes)
        let basic = challenges.first { $0.scheme == "basic" }
        do {
            if let (server, asked) = try server(in: challenges, context) {
                method = .bearer(server)
                if let own = credentials?.bearerAuthorization { return own == rejected ? nil : own }
                let next = try await token(
                    from: server,
                    as: credentials,
                    scopes: scopes,
                    asked: asked,
                    rejected: rejected,
                    context: context
                )
                return next == rejected ? nil : next
            }
        } catch let error as RegistryError where error.code == .malformedAnswer && basic != nil {
            // The registry takes a password just as well.
        }
        guard basic != nil else {
            let names = challenges.map(\.scheme).joined(separator: ", ")
            throw RegistryError(.unauthorized, context, reason: "the registry asks for \"\(names)\" authentication")
        }
        method = .basic
        guard let credentials else {
            throw RegistryError(
                .unauthorized,
                context,
                reason: "it asks for a user name and a password, and \(endpoint.missingCredentials)"
            )
        }
        guard let authorization = credentials.bearerAuthorization ?? credentials.basicAuthorization else {
            throw RegistryError(
                .unauthorized,
                context,
                reason: "it asks for a user name and a password, and \(credentials.source) has an identity token"
            )
        }
        return authorization == rejected ? nil : authorization
    }

    /// The first token server that a challenge names, and the scopes for which the registry sends us there.
    ///
    /// - Throws: ``RegistryError`` where there is a challenge for a token, and none that can be followed.
    private func server(
        in challenges: [Challenge],
        _ context: RequestContext
    ) throws -> (server: TokenServer, asked: [Scope])? {
        var failure: (any Error)?
        for challenge in challenges where challenge.scheme == "bearer" {
            do {
                let server = try TokenServer(challenge, endpoint: endpoint, context: context)
                let asked = (challenge.parameters["scope"] ?? "").split(separator: " ")
                return (server, asked.compactMap { Scope(parsing: $0) })
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }

    // MARK: - Tokens

    /// A token for scopes, and for those that the registry asks for besides.
    private func token(
        from server: TokenServer,
        as credentials: Credentials?,
        scopes: [Scope],
        asked: [Scope] = [],
        rejected: String?,
        context: RequestContext
    ) async throws -> String {
        // Under what the request itself needs: the next one like it is to find it.
        let key = TokenKey(server: server, scopes: Scope.merged(scopes))
        let cached = tokens[key] ?? CachedToken()
        tokens[key] = cached
        if let authorization = cached.authorization(besides: rejected) { return authorization }
        let attemptCount = cached.attemptCount
        return try await cached.turn.withSlot {
            // Whoever had to wait shares what came of it, good or bad.
            if let authorization = cached.authorization(besides: rejected) { return authorization }
            if cached.attemptCount != attemptCount, let failure = cached.failure {
                throw (failure as? RegistryError).map { $0.with(context, request: $0.request) } ?? failure
            }
            do {
                let token = try await server.fetch(
                    scopes: Scope.merged(scopes + asked),
                    credentials: credentials,
                    lack: endpoint.missingCredentials,
                    transport: transport,
                    context: context
                )
                cached.token = token
                cached.failure = nil
                cached.attemptCount += 1
                return token.authorization
            } catch let error as CancellationError {
                // It says nothing of the token; the next in turn tries.
                throw error
            } catch {
                cached.failure = error
                cached.attemptCount += 1
                throw error
            }
        }
    }
}
