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
    /// What the user sends to the registry besides.
    private let headers: [ExtraHeader]
    private let find: RegistryClient.CredentialFinder
    private let transport: HTTPTransport
    private var method = Method.unknown
    private var isProbed = false
    /// What the first request found, where no other would fare better.
    private var failure: RegistryError?
    /// How often the first request was tried in vain.
    private(set) var failureCount = 0
    private var tokens: [TokenKey: CachedToken] = [:]
    /// Whether the registry was asked whether it wants to know who we are.
    private(set) var isIntroduced = false

    /// Held by the first request to the registry; the others wait until it is known what the registry asks for, because
    /// each of them would be turned away once.
    nonisolated let firstRequest = RequestSlots(limit: 1)
    /// Held by whoever asks the registry whether it wants to know who we are.
    nonisolated let introduction = RequestSlots(limit: 1)

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

    init(
        endpoint: RegistryEndpoint,
        headers: [ExtraHeader],
        find: @escaping RegistryClient.CredentialFinder,
        transport: HTTPTransport
    ) {
        self.endpoint = endpoint
        self.headers = headers
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

    /// Notes that the registry was asked whether it wants to know who we are.
    func noteIntroduced() { isIntroduced = true }

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
        try await find(endpoint.registry, scopes.path, nil)
    }

    /// Who else we are, where that was refused; nil where there are no others.
    ///
    /// What a helper gives may be good for an hour alone.
    private func credentials(besides refused: Credentials, for scopes: [Scope]) async throws -> Credentials? {
        let found = try await find(endpoint.registry, scopes.path, refused)
        return found?.kind == refused.kind ? nil : found
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

    /// What to say next where a registry has refused what it was told.
    ///
    /// - Parameters:
    ///   - refusals: what it was told so far, for this one request.
    ///   - challenges: what it asks for; none where it only says no.
    ///   - scopes: what the request needs to be allowed.
    ///   - fetchesToken: whether a token may be fetched anew.
    ///   - context: what the request is made for.
    /// - Returns: the authorization to try, nil where there is no other to try.
    /// - Throws: ``RegistryError`` when a token cannot be had or there are no credentials to answer with.
    func next(
        after refusals: [String],
        challenges: [Challenge],
        scopes: [Scope],
        fetchesToken: Bool,
        context: RequestContext
    ) async throws -> String? {
        func answer(as credentials: Credentials?) async throws -> String? {
            try await self.answer(
                to: challenges,
                as: credentials,
                scopes: scopes,
                rejected: refusals.last,
                fetchesToken: fetchesToken,
                context: context
            )
        }
        let credentials = try await credentials(for: scopes)
        let first = try await answer(as: credentials)
        guard let first, refusals.contains(first) else { return first }
        // Others may be had by now, where these were what was refused.
        guard let refused = credentials, refused.are(first),
            let others = try await self.credentials(besides: refused, for: scopes),
            let second = try await answer(as: others)
        else { return nil }
        return refusals.contains(second) ? nil : second
    }

    /// What to say to a registry that did not ask, to find out whether it is good for anything.
    ///
    /// - Throws: ``RegistryError`` when a token cannot be had.
    func trial(of challenges: [Challenge], scopes: [Scope], context: RequestContext) async throws -> String? {
        let credentials = try await credentials(for: scopes)
        return try await answer(to: challenges, as: credentials, scopes: scopes, adopts: false, context: context)
    }

    /// Notes that what was said to a registry was good, and is to be said from now on.
    func adopt(_ challenges: [Challenge], _ authorization: String, _ context: RequestContext) {
        if !authorization.hasPrefix("Basic "), let server = try? server(in: challenges, context)?.server {
            method = .bearer(server)
        } else {
            method = .basic
        }
    }

    /// The answer to challenges; where there are none, to a registry that has said before what it wants.
    private func answer(
        to challenges: [Challenge],
        as credentials: Credentials?,
        scopes: [Scope],
        rejected: String? = nil,
        fetchesToken: Bool = true,
        adopts: Bool = true,
        context: RequestContext
    ) async throws -> String? {
        guard !challenges.isEmpty else {
            guard case .basic = method else { return credentials?.bearerAuthorization }
            return credentials?.bearerAuthorization ?? credentials?.basicAuthorization
        }
        let basic = challenges.first { $0.scheme == "basic" }
        do {
            if let (server, asked) = try server(in: challenges, context) {
                if adopts { method = .bearer(server) }
                if let own = credentials?.bearerAuthorization { return own }
                // One that was too narrow is worth another, whenever that is found out.
                guard fetchesToken || Scope.merged(scopes + asked) != Scope.merged(scopes) else { return nil }
                return try await token(
                    from: server,
                    as: credentials,
                    scopes: scopes,
                    asked: asked,
                    rejected: rejected,
                    context: context
                )
            }
        } catch let error as RegistryError where error.code == .malformedAnswer && basic != nil {
            // The registry takes a password just as well.
        }
        guard basic != nil else {
            let names = challenges.map(\.scheme).joined(separator: ", ")
            throw RegistryError(.unauthorized, context, reason: "the registry asks for \"\(names)\" authentication")
        }
        if adopts { method = .basic }
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
        return authorization
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
                let all = Scope.merged(scopes + asked)
                var token: Token
                do {
                    token = try await fetch(all, from: server, as: credentials, context)
                } catch let error as RegistryError where error.code == .unauthorized {
                    guard let refused = credentials,
                        let other = try await self.credentials(besides: refused, for: scopes)
                    else { throw error }
                    token = try await fetch(all, from: server, as: other, context)
                }
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

    private func fetch(
        _ scopes: [Scope],
        from server: TokenServer,
        as credentials: Credentials?,
        _ context: RequestContext
    ) async throws -> Token {
        try await server.fetch(
            scopes: scopes,
            credentials: credentials,
            for: endpoint,
            headers: headers,
            transport: transport,
            context: context
        )
    }
}
