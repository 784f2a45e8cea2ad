import NIOHTTP1
package import OCI

/// Where the maker of a foreign layer has it.
package enum ForeignLayerURL {
    /// What it is called: without a user and without a query, which may be secrets.
    package static func name(of url: String) -> String { URLParts.redacted(url).printableExcerpt }
}

extension RegistryClient {
    /// Fetches a small blob, in order: each piece goes to the sink, and into the digest, as it arrives.
    ///
    /// - Parameters:
    ///   - blob: what is expected: at most its size is read, and its size and digest are verified.
    ///   - repository: where it is.
    ///   - sink: takes the bytes in order; it has had all of them, verified, only when this returns.
    ///   - restarting: hears when the blob begins again, with the number of bytes that the sink was given in vain.
    /// - Throws: ``RegistryError``, and what the sink throws.
    package func fetchBlob(
        _ blob: Descriptor,
        from repository: Repository,
        into sink: @escaping BlobSink,
        restarting: @escaping @Sendable (_ byteCount: Int64) -> Void = { _ in }
    ) async throws {
        var place = BlobPlace(write: sink)
        place.restarting = restarting
        try await fetchBlob(blob, from: repository, into: place)
    }

    /// Fetches a blob to its place, verified: a large one by several requests at once, where one is slow and the registry
    /// sends ranges.
    ///
    /// A blob that breaks off continues after the last byte that the place has taken. Where the registry will not have
    /// that, or bytes were wrong, it begins again.
    ///
    /// - Parameters:
    ///   - blob: what is expected: at most its size is read, and its size and digest are verified.
    ///   - repository: where it is.
    ///   - prefix: what the place has had of it in an earlier run.
    ///   - place: takes the bytes; it has had all of them, verified, only when this returns.
    /// - Throws: ``RegistryError``, and what the place throws.
    ///
    /// Spec: distribution "Pulling blobs"; RFC 9110 "Range Requests".
    package func fetchBlob(
        _ blob: Descriptor,
        from repository: Repository,
        after prefix: sending BlobPrefix? = nil,
        into place: BlobPlace
    ) async throws {
        let context = RequestContext(operation: "fetching the blob", subject: "\(repository)@\(blob.digest)")
        let policy = configuration.ranges
        let download = BlobDownload(
            blob,
            after: prefix,
            context: context,
            place: place,
            pieceLength: policy.pieceByteCount
        )
        let isLarge = blob.size > policy.blobByteCount
        let fetch = BlobFetch(
            client: self,
            download: download,
            blob: blob,
            registry: registry(repository.registry),
            path: "/v2/\(repository.path)/blobs/\(blob.digest)",
            repository: repository,
            isLarge: isLarge,
            context: context
        )
        if isLarge, policy.requestLimit > 1, place.read != nil, try await fetch.runInPieces() { return }
        try await fetch.run()
    }

    /// Fetches a layer from where its maker has it, verified: over https alone, and without saying who we are.
    ///
    /// - Parameters:
    ///   - layer: what is expected: at most its size is read, and its size and digest are verified.
    ///   - url: where it is.
    ///   - prefix: what the place has had of it in an earlier run.
    ///   - place: takes the bytes; it has had all of them, verified, only when this returns.
    /// - Throws: ``RegistryError``, also for what is no https URL, and what the place throws.
    ///
    /// Spec: image "OCI Content Descriptors", `urls`.
    package func fetchForeignLayer(
        _ layer: Descriptor,
        from url: String,
        after prefix: sending BlobPrefix? = nil,
        into place: BlobPlace
    ) async throws {
        let context = RequestContext(operation: "fetching the foreign layer", subject: layer.digest.description)
        guard let origin = URLParts.origin(of: url), origin.scheme == "https" else {
            let reason = "its manifest names \(ForeignLayerURL.name(of: url)), which is no https URL"
            throw RegistryError(.unsafeRedirect, context, request: nil, reason: reason)
        }
        let download = BlobDownload(
            layer,
            after: prefix,
            context: context,
            place: place,
            pieceLength: configuration.ranges.pieceByteCount
        )
        let isLarge = layer.size > configuration.ranges.blobByteCount
        let fetch = BlobFetch(
            client: self,
            download: download,
            blob: layer,
            registry: maker(origin.hostText),
            path: url,
            repository: nil,
            isLarge: isLarge,
            context: context
        )
        try await fetch.run()
    }

    /// Asks whether a repository has a blob.
    ///
    /// - Throws: ``RegistryError``.
    ///
    /// Spec: distribution "Checking if content exists in the registry".
    package func hasBlob(
        _ blob: Descriptor,
        in repository: Repository,
        for access: Access = .pull
    ) async throws -> Bool {
        let context = RequestContext(operation: "looking up the blob", subject: "\(repository)@\(blob.digest)")
        let (request, response) = try await send(
            .HEAD,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            to: registry(repository.registry),
            scopes: [access.scope(of: repository)],
            context: context
        )
        if response.status == 404 { return false }
        try response.expect([200], of: request, context: context)
        return true
    }
}
