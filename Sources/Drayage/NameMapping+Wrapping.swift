extension NameMapping {
    /// Names an image as a push to the target does: `quay.io/app:1` is `registry.site:5000/app:1`.
    ///
    /// Tag and digest stay as they are, also where there is none. What is in the target already stays, for it was wrapped
    /// before; a push would give an image that comes from there a name like any other.
    ///
    /// ```swift
    /// let mapping = NameMapping(target: try RegistryTarget(parsing: "registry.site:5000/mirror"), keepsHost: true)
    /// try mapping.wrap("nginx:1.27")  // registry.site:5000/mirror/docker.io/library/nginx:1.27
    /// try mapping.unwrap("registry.site:5000/mirror/docker.io/library/nginx:1.27")  // docker.io/library/nginx:1.27
    /// ```
    ///
    /// - Parameter text: a reference.
    /// - Returns: the reference in the target.
    /// - Throws: `ReferenceError` where the text is none, ``DrayageError`` with `usage` where the target can have no such
    ///   name.
    public func wrap(_ text: String) throws -> String {
        let reference = try Reference(parsing: text)
        guard path(within: reference) == nil else { return text }
        let wrapped = Reference(
            repository: try repository(for: reference.repository),
            tag: reference.tag,
            digest: reference.digest
        )
        return wrapped.description
    }

    /// Names an image of the target as it was named before: the inverse of ``wrap(_:)``, where ``keepsHost`` is set.
    ///
    /// What is not in the target stays.
    ///
    /// - Parameter text: a reference.
    /// - Returns: the canonical reference of the source.
    /// - Throws: `ReferenceError` where the text is none, ``DrayageError`` with `usage` where nothing tells the source.
    public func unwrap(_ text: String) throws -> String {
        let reference = try Reference(parsing: text)
        guard let path = path(within: reference) else { return text }
        guard keepsHost else {
            throw DrayageError(
                .usage,
                "\(text.printable) does not tell which host it came from; only --keep-host keeps that"
            )
        }
        let parts = path.split(separator: "/", maxSplits: 1)
        guard parts.count == 2,
            let source = try? Repository(registry: Self.host(forComponent: "\(parts[0])"), path: "\(parts[1])"),
            try repository(for: source) == reference.repository,
            let known = try? Reference(parsing: "\(source)"), known.repository == source
        else {
            throw DrayageError(
                .usage,
                "\(text.printable) is no name that --keep-host gives: its path begins with no host"
            )
        }
        return Reference(repository: source, tag: reference.tag, digest: reference.digest).description
    }

    /// The path of a reference behind the target's prefix; nil where it is not in the target.
    private func path(within reference: Reference) -> Substring? {
        guard reference.repository.registry == target.registry else { return nil }
        guard let prefix = target.prefix else { return reference.repository.path[...] }
        guard reference.repository.path.hasPrefix(prefix + "/") else { return nil }
        return reference.repository.path.dropFirst(prefix.utf8.count + 1)
    }
}
