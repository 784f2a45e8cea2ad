import NIOHTTP1

extension RegistryClient {
    /// How a registry takes us as a whole.
    package enum Welcome: Hashable, Sendable {
        /// It did not ask who we are.
        case unasked
        /// It asked, and takes what it was told.
        case known
    }

    /// Asks a registry whether it is one, and whether it takes our credentials; it is tried twice, for a person waits.
    ///
    /// - Throws: ``RegistryError``, with `unauthorized` where it does not take them.
    ///
    /// Spec: distribution "Determining Support".
    package func greet(_ name: String) async throws -> Welcome {
        let context = RequestContext(operation: "asking", subject: name)
        let registry = registry(name)
        let (request, response) = try await send(
            .GET,
            "/v2/",
            to: registry,
            scopes: [],
            retryLimit: 1,
            context: context
        )
        try response.expect([200], of: request, context: context)
        return await registry.authenticator.wasAsked ? .known : .unasked
    }
}
