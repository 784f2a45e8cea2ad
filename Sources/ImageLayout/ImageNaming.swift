package import OCI

/// How images are called that a layout gives only a tag for a name, or none.
///
/// `umoci` and `oras` write tags, and `skopeo copy` to an `oci-archive:` without a reference writes no name.
package struct ImageNaming: Hashable, Sendable {
    /// The repository, and the tag or digest of an image that has none.
    private let reference: Reference

    /// Names them after a repository; what has no tag either gets the one of the reference.
    package init(_ reference: Reference) { self.reference = reference }

    /// Gives the entries of an index their names.
    func named(_ entries: [Descriptor]) -> [Descriptor] {
        let nameless = entries.filter(\.isNamelessImage)
        return entries.map { entry in
            if let name = entry.imageName { return name.namesRepository ? entry : entry.with(name: tagged(name)) }
            guard entry.isNamelessImage else { return entry }
            // Only one can have the name that is given.
            return entry.with(name: nameless.count == 1 ? reference.withDefaultTag.bundleName : pinned(entry.digest))
        }
    }

    private func tagged(_ tag: String) -> String { "\(reference.repository):\(tag)" }

    private func pinned(_ digest: Digest) -> String { "\(reference.repository)@\(digest)" }
}

extension Descriptor {
    /// Whether it may be an image, and has no name: what refers to another is none.
    fileprivate var isNamelessImage: Bool { imageName == nil && annotatedSubject == nil && artifactType == nil }

    fileprivate func with(name: String) -> Descriptor {
        var annotations = annotations ?? [:]
        annotations[LayoutAnnotation.containerdName] = name
        return Descriptor(
            mediaType: mediaType,
            digest: digest,
            size: size,
            annotations: annotations,
            platform: platform
        )
    }
}
