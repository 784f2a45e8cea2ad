package import OCI

/// A signature, an attestation or another referrer in a bundle: an entry of the index without a name of its own.
package struct LayoutReferrer: Hashable, Sendable {
    /// Its manifest or index.
    package let descriptor: Descriptor
    /// What it refers to.
    package let subject: Digest
    /// The repository in which it was found; nil where a layout does not say it.
    package let repository: Repository?
    /// The tag under which it was found, where it had one, as cosign's signatures do.
    package let tag: Tag?

    /// Puts it together.
    package init(descriptor: Descriptor, subject: Digest, repository: Repository?, tag: Tag? = nil) {
        // What others noted of it is theirs.
        self.descriptor = descriptor.bare
        self.subject = subject
        self.repository = repository
        self.tag = tag
    }

    /// Reads an entry of an index; nil where nobody says what it refers to.
    ///
    /// - Parameters:
    ///   - entry: the entry, which has no name.
    ///   - document: its manifest, which may say itself what it refers to.
    init?(_ entry: Descriptor, document: Document?) {
        guard let subject = entry.annotatedSubject ?? document?.subject?.digest else { return nil }
        self.init(
            descriptor: entry,
            subject: subject,
            repository: entry.foundIn,
            // Any other would put something under a name that nobody sees.
            tag: entry.foundAs.flatMap { AttachmentTag.Key(of: $0) == AttachmentTag.Key(subject) ? $0 : nil }
        )
    }

    /// What messages call it.
    package var name: String { "\(repository.map { "\($0)@" } ?? "")\(descriptor.digest)" }

    /// As it stands in the index.
    var entry: Descriptor {
        var annotations = [LayoutAnnotation.subject: subject.description]
        annotations[LayoutAnnotation.repository] = repository?.description
        annotations[LayoutAnnotation.tag] = tag?.description
        return Descriptor(
            mediaType: descriptor.mediaType,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: annotations
        )
    }

    /// The order in an index.
    fileprivate var order: [String] {
        [descriptor.digest.description, subject.description, repository?.description ?? "", tag?.description ?? ""]
    }
}

extension Sequence<LayoutReferrer> {
    /// How many manifests these are: one may refer to several, and be found in several ways.
    package var manifestCount: Int { Set(map(\.descriptor.digest)).count }

    /// Each once, in the order in which they are in an index.
    package var folded: [LayoutReferrer] { Set(self).sorted { $0.order.lexicographicallyPrecedes($1.order) } }
}

extension Descriptor {
    /// The type, digest and size alone.
    package var bare: Descriptor { Descriptor(mediaType: mediaType, digest: digest, size: size) }

    /// The repository in which a referrer was found; nil where it is not said, or not understood.
    package var foundIn: Repository? {
        guard let text = annotations?[LayoutAnnotation.repository], let reference = try? Reference(parsing: text),
            reference.tag == nil, reference.digest == nil
        else { return nil }
        return reference.repository
    }

    /// The tag under which a referrer was found.
    package var foundAs: Tag? { annotations?[LayoutAnnotation.tag].flatMap { try? Tag(parsing: $0) } }

    /// What a referrer refers to whose manifest need not say so itself.
    package var annotatedSubject: Digest? {
        annotations?[LayoutAnnotation.subject].flatMap { try? Digest(parsing: $0) }
    }
}
