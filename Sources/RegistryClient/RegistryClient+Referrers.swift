package import OCI

extension RegistryClient {
    /// What registries answer that have no Referrers API.
    ///
    /// Among them those that send everybody who asks for what they do not know to their web site.
    private static let statusesWithoutAPI: Set<Int> = [301, 302, 303, 307, 308, 400, 404, 405, 406, 501]

    /// Lists what refers to a manifest: signatures, attestations and the like.
    ///
    /// - Returns: the referrers' descriptors, in the registry's order; nil where the registry has no Referrers API.
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Listing Referrers".
    package func referrers(of digest: Digest, in repository: Repository) async throws -> [Descriptor]? {
        let context = RequestContext(operation: "listing what refers to", subject: "\(repository)@\(digest)")
        var hasPage = false
        var isForPeople = false
        do {
            let referrers = try await pages(
                "/v2/\(repository.path)/referrers/\(digest)",
                of: repository.registry,
                scope: .pull(repository),
                staysAtHost: true,
                context: context,
                entries: { response -> [Descriptor]? in
                    // Some registries answer every path that they do not know with a page of their web site.
                    isForPeople = !hasPage && response.contentType?.rawValue == "text/html"
                    guard !isForPeople else { return [] }
                    let page = RegistryAnswer.referrers(in: response.body)
                    hasPage = hasPage || page != nil
                    return page
                }
            )
            return isForPeople ? nil : referrers
        } catch let error as RegistryError where !hasPage {
            guard let status = error.status, Self.statusesWithoutAPI.contains(status) else { throw error }
            return nil
        }
    }
}
