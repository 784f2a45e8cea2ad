import NIOHTTP1
package import OCI

extension RegistryClient {
    /// What became of the wish to delete a manifest or a tag.
    package enum DeletionOutcome: Hashable, Sendable {
        /// It is gone.
        case deleted
        /// It was not there.
        case absent
        /// The registry does not do that: deletion is off, or not by tag.
        case unsupported
    }

    /// Deletes a manifest by its digest, or a tag.
    ///
    /// By digest most registries take all tags of the manifest with it. By tag most take the tag alone, some the manifest
    /// as well, and others know no such thing.
    ///
    /// - Throws: ``RegistryError``, with `unauthorized` or `denied` where we may not.
    ///
    /// Spec: distribution "Deleting tags", "Deleting Manifests".
    package func deleteManifest(
        _ target: ManifestTarget,
        in repository: Repository
    ) async throws -> DeletionOutcome {
        let context = RequestContext(operation: "deleting", subject: target.name(in: repository))
        let registry = registry(repository.registry)
        var mayBeDone = false
        let (request, response) = try await retrying(registry, context) {
            do {
                return try await attempt(
                    .DELETE,
                    "/v2/\(repository.path)/manifests/\(target)",
                    to: registry,
                    scopes: [.delete(repository)],
                    context: context
                )
            } catch let error as RegistryError {
                mayBeDone = mayBeDone || error.leavesOpenWhatWasDone
                throw error
            }
        }
        switch response.status {
        // An earlier attempt has done it, and its answer was lost.
        case 404 where mayBeDone: return .deleted
        case 404: return .absent
        case 405, 501: return .unsupported
        // distribution 2.8 takes a tag for a digest that is wrong.
        case 400 where target.isTag: return .unsupported
        case 400 where response.registryMessages.contains { $0.hasPrefix("UNSUPPORTED") }: return .unsupported
        default: break
        }
        try response.expect([202, 200, 204], of: request, context: context)
        return .deleted
    }
}

extension RegistryError {
    /// Whether the registry may have done what it was asked for, although it did not say so.
    fileprivate var leavesOpenWhatWasDone: Bool {
        switch code {
        case .connectionLost, .timeout: true
        default: status.map { $0 >= 500 } ?? false
        }
    }
}
