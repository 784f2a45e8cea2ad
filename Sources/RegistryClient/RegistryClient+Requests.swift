import NIOHTTP1
import OCI

extension RegistryClient {
    /// The most redirects that are followed for one request.
    private static let redirectLimit = 10

    /// Sends a request that may be sent again, as ``RetryPolicy`` has it; the parameters are those of an attempt, and how
    /// often it is tried again, nil for as often as is configured.
    func send(
        _ method: HTTPMethod,
        _ path: String,
        to registry: Registry,
        headers: HTTPHeaders = [:],
        body: HTTPRequest.Body = .none,
        scopes: [Scope],
        handling: BodyHandling = .collect(limit: BodyHandling.errorBodyLimit),
        staysAtHost: Bool = false,
        retryLimit: Int? = nil,
        context: RequestContext
    ) async throws -> (request: HTTPRequest, response: HTTPResponse) {
        try await retrying(registry, context, limit: retryLimit) {
            try await attempt(
                method,
                path,
                to: registry,
                headers: headers,
                body: body,
                scopes: scopes,
                handling: handling,
                staysAtHost: staysAtHost,
                context: context
            )
        }
    }

    /// Sends a request to a registry: waits for a slot, says who we are where that is asked for, follows redirects.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - path: what follows the registry's base URL, or a whole URL that the registry gave.
    ///   - registry: the registry.
    ///   - headers: headers besides those that every request has.
    ///   - body: what is sent.
    ///   - scopes: what the request needs to be allowed. Spec: distribution "Token Scope Documentation".
    ///   - handling: what becomes of the answer's body.
    ///   - staysAtHost: whether a redirect to another host is an answer, and not followed.
    ///   - waitsForSlot: whether it is one of the requests that are counted; not what goes with one that is.
    ///   - context: what the request is made for.
    /// - Returns: the request as it was sent first, and the answer, whatever its status where that is final.
    /// - Throws: ``RegistryError``, `CancellationError`, ``HostGates/Closed``, and what the sink of a streamed body
    ///   throws.
    func attempt(
        _ method: HTTPMethod,
        _ path: String,
        to registry: Registry,
        headers: HTTPHeaders = [:],
        body: HTTPRequest.Body = .none,
        scopes: [Scope],
        handling: BodyHandling = .collect(limit: BodyHandling.errorBodyLimit),
        staysAtHost: Bool = false,
        waitsForSlot: Bool = true,
        context: RequestContext
    ) async throws -> (request: HTTPRequest, response: HTTPResponse) {
        let request = HTTPRequest(
            method: method,
            url: path.hasPrefix("/") ? RequestURL(path, at: registry.endpoint) : RequestURL(path),
            headers: headers,
            body: body,
            registry: registry.endpoint.origin,
            isAnonymous: registry.isMaker,
            staysAtHost: staysAtHost
        )
        let slots = registry.slots
        func answer() async throws -> HTTPResponse {
            let seen = slots.reductionCount
            let response = try await authenticated(
                request,
                registry,
                scopes: scopes,
                handling: handling,
                context: context
            )
            if RetryPolicy.isTooMuch(status: response.status) { slots.reduce(since: seen) } else { slots.noteServed() }
            return response
        }
        let response = try await waitsForSlot ? slots.withSlot(answer) : answer()
        if RetryPolicy.isRetryable(status: response.status) { throw response.error(to: request, context: context) }
        return (request, response)
    }

    private func authenticated(
        _ request: HTTPRequest,
        _ registry: Registry,
        scopes: [Scope],
        handling: BodyHandling,
        context: RequestContext
    ) async throws -> HTTPResponse {
        let authenticator = registry.authenticator
        if try await !authenticator.isKnown(context) {
            let failureCount = await authenticator.failureCount
            let first = try await authenticator.firstRequest.withSlot { () -> HTTPResponse? in
                guard try await !authenticator.isKnown(context, since: failureCount) else { return nil }
                do {
                    let response = try await answered(request, registry, scopes, handling, context)
                    await authenticator.noteFirstRequest(failure: nil)
                    return response
                } catch {
                    await authenticator.noteFirstRequest(failure: error)
                    throw error
                }
            }
            if let first { return first }
        }
        return try await answered(request, registry, scopes, handling, context)
    }

    private func answered(
        _ request: HTTPRequest,
        _ registry: Registry,
        _ scopes: [Scope],
        _ handling: BodyHandling,
        _ context: RequestContext
    ) async throws -> HTTPResponse {
        let authenticator = registry.authenticator
        // An upload may have gone to another host, where our credentials have no business.
        let isOwn = request.origin == registry.endpoint.origin
        let own = isOwn ? registry.headers : []
        var authorization = isOwn ? try await authenticator.authorization(for: scopes, context: context) : nil
        var refusals: [String] = []
        for round in 0... {
            var response = try await redirected(
                request,
                own,
                authorization: authorization,
                handling: handling,
                context: context
            )
            if response.status != 401 { await authenticator.noteAccepted() }
            guard isOwn, response.url == request.url.text else { return response }
            let challenges = Challenge.all(in: response, to: authorization)
            if authorization == nil, challenges.isEmpty, [403, 404].contains(response.status), !request.body.isBlob {
                return try await introduced(request, registry, scopes, handling, context, refused: response)
            }
            guard !challenges.isEmpty || (response.status == 403 && authorization != nil) else { return response }
            if let authorization { refusals.append(authorization) }
            // Once because what we had is not good, or not any more, and once more where a helper has something else.
            let next =
                round == 2
                ? nil
                : try await authenticator.next(
                    after: refusals,
                    challenges: challenges,
                    scopes: scopes,
                    fetchesToken: round == 0,
                    context: context
                )
            guard let next else {
                guard response.status == 401 else { return response }
                response.hint =
                    try await authenticator.credentials(for: scopes).map {
                        "it refuses the credentials from \($0.source)"
                    }
                    ?? "there is no such repository, or it is not for everyone; \(registry.endpoint.missingCredentials)"
                return response
            }
            authorization = next
        }
        preconditionFailure("the last round returns")
    }

    /// Says who we are to a registry that did not ask, where there is something to say, and sends a request again.
    ///
    /// Some registries show to nobody in particular only what is for everyone, and want to know of the rest only where they
    /// are asked what they are. So that is asked, once; what does not prove good is never said again.
    private func introduced(
        _ request: HTTPRequest,
        _ registry: Registry,
        _ scopes: [Scope],
        _ handling: BodyHandling,
        _ context: RequestContext,
        refused response: HTTPResponse
    ) async throws -> HTTPResponse {
        let authenticator = registry.authenticator
        guard let credentials = try await authenticator.credentials(for: scopes) else { return response }
        func again(_ authorization: String) async throws -> HTTPResponse {
            try await redirected(
                request,
                registry.headers,
                authorization: authorization,
                handling: handling,
                context: context
            )
        }
        let first = try await authenticator.introduction.withSlot { () -> HTTPResponse? in
            guard await !authenticator.isIntroduced else { return nil }
            var response = response
            do {
                let challenges = try await challenges(of: registry, context)
                if !challenges.isEmpty,
                    let authorization = try await authenticator.trial(of: challenges, scopes: scopes, context: context)
                {
                    let second = try await again(authorization)
                    if second.status == 401 {
                        response.hint = "it refuses the credentials from \(credentials.source)"
                    } else {
                        response = second
                        await authenticator.adopt(challenges, authorization, context)
                    }
                }
            } catch let error as RegistryError {
                response.hint = "who we are could not be told: \(error)"
            }
            await authenticator.noteIntroduced()
            return response
        }
        if let first { return first }
        guard let authorization = try await authenticator.authorization(for: scopes, context: context) else {
            return response
        }
        return try await again(authorization)
    }

    /// What a registry asks everybody for who wants to know what it is.
    private func challenges(of registry: Registry, _ context: RequestContext) async throws -> [Challenge] {
        var request = HTTPRequest(method: .GET, url: RequestURL("/v2/", at: registry.endpoint))
        request.registry = registry.endpoint.origin
        for header in registry.headers { request.headers.add(name: header.name, value: header.value) }
        let limit = BodyHandling.errorBodyLimit
        return Challenge.all(
            in: try await transport.send(request, handling: .collect(limit: limit), context: context),
            to: nil
        )
    }

    private func redirected(
        _ original: HTTPRequest,
        _ own: [ExtraHeader],
        authorization: String?,
        handling: BodyHandling,
        context: RequestContext
    ) async throws -> HTTPResponse {
        var request = original
        if let authorization { request.headers.replaceOrAdd(name: "Authorization", value: authorization) }
        for header in own { request.headers.add(name: header.name, value: header.value) }
        for _ in 0...Self.redirectLimit {
            let response = try await transport.send(request, handling: handling, context: context)
            guard response.isRedirect(of: request.method) else { return response }
            let target = try RedirectPolicy.target(of: response, from: request, context: context)
            let url = RequestURL(target)
            let isElsewhere = url.origin != request.origin
            if request.staysAtHost, isElsewhere { return response }
            // Spec: distribution: a client must not send its authorization across hosts.
            if isElsewhere {
                request.headers.remove(name: "Authorization")
                for header in own { request.headers.remove(name: header.name) }
            }
            request.url = url
        }
        throw RegistryError(
            .unsafeRedirect,
            context,
            request: original.name,
            reason: "more than \(Self.redirectLimit) redirects, one after the other"
        )
    }
}

/// Which redirects are followed.
enum RedirectPolicy {
    /// The URL that a redirect leads to.
    ///
    /// - Throws: ``RegistryError`` with `unsafeRedirect` where it leads from https to http, or is no http at all.
    static func target(
        of response: HTTPResponse,
        from request: HTTPRequest,
        context: RequestContext
    ) throws -> String {
        func refuse(_ reason: String) -> RegistryError {
            RegistryError(
                .unsafeRedirect,
                context,
                request: request.name,
                status: response.status,
                reason: reason
            )
        }
        guard let location = response.headers.first(name: "Location"),
            let target = URLParts.resolve(location, against: request.url.text), let origin = URLParts.origin(of: target)
        else { throw refuse("it names no http or https URL") }
        guard !isDowngrade(from: request.url.text, to: target) else {
            throw refuse("it leads from https to http on \(origin.hostText)")
        }
        return target
    }

    /// Whether going from one URL to another gives up TLS.
    static func isDowngrade(from source: String, to target: String) -> Bool {
        URLParts.origin(of: target)?.scheme != "https" && URLParts.origin(of: source)?.scheme != "http"
    }
}

extension HTTPResponse {
    /// Whether this sends the request elsewhere.
    ///
    /// A request that changes something is only sent again as it is.
    fileprivate func isRedirect(of method: HTTPMethod) -> Bool {
        switch status {
        case 307, 308: true
        case 301, 302, 303: method == .GET || method == .HEAD
        default: false
        }
    }
}
