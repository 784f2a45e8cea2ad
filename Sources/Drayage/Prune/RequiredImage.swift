import ImageLayout

/// An image that must stay, as somebody required it.
///
/// With neither tag nor digest it means every tag of the repository. Where it has both, the digest decides whether it is
/// there, and the tag stays as well.
public struct RequiredImage: Sendable {
    /// The image.
    public let reference: Reference
    /// Where it was required: `required.txt:3`, or a bundle.
    public let place: String

    /// Its path as it was written, where that is another than the reference's: `app` for `library/app`.
    let shortPath: String?
    /// Whether it was written with a registry's host.
    let namesHost: Bool

    /// Takes an entry of a list.
    public init(_ entry: ImageList.Entry) {
        reference = entry.reference
        place = entry.place
        let syntax = try? ReferenceSyntax(parsingCustomary: entry.text)
        shortPath = syntax.flatMap { $0.path == entry.reference.repository.path ? nil : $0.path }
        namesHost = syntax?.domain != nil
    }

    private init(reference: Reference, place: String) {
        self.reference = reference
        self.place = place
        shortPath = nil
        namesHost = true
    }

    /// All images of a bundle, by their names and digests.
    ///
    /// It blocks while the bundle's manifests are read.
    ///
    /// - Throws: `LayoutError` where it cannot be read, ``DrayageError`` where it is damaged or names nothing.
    public static func images(ofBundle path: String) throws -> [RequiredImage] {
        let reader = try LayoutReader(path: path)
        try reader.requireSound()
        guard !reader.images.isEmpty else {
            throw DrayageError(.emptyList, "\(path) holds no image with a name, so it requires nothing")
        }
        return try reader.images.map { image in
            let named = try image.reference(in: path)
            let reference = Reference(
                repository: named.repository,
                tag: named.tag,
                digest: image.descriptor.digest
            )
            return RequiredImage(reference: reference, place: path)
        }
    }

    /// As it is told to a person.
    var description: String {
        reference.tag == nil && reference.digest == nil ? "every tag of \(reference)" : reference.description
    }
}

/// Which repositories of a registry a required image may be in.
struct RequiredPaths: Sendable {
    let mapping: PathMapping
    /// The registry, as references name it; nil for a storage directory, which may be that of any.
    let registry: String?

    /// The paths, the one where `push` puts it first.
    ///
    /// A name can mean more than one: a short one is of Docker Hub or of the registry itself, and one with the registry's
    /// own host says where the image is, not where it came from. All are kept: to keep one too many harms nobody.
    ///
    /// - Throws: ``DrayageError`` with `usage` where the mapping has no name for it.
    func candidates(for image: RequiredImage) throws -> [RepositoryPath] {
        let source = image.reference.repository
        var texts = [try mapping.text(for: source)]
        let isOwn = !image.namesHost || registry == nil || registry == source.registry
        for path in [source.path, image.shortPath].compactMap(\.self) {
            if let prefix = mapping.prefix, isOwn || !mapping.keepsHost { texts.append("\(prefix)/\(path)") }
            if isOwn || (mapping.prefix == nil && !mapping.keepsHost) { texts.append(path) }
        }
        var seen: Set<RepositoryPath> = []
        return texts.compactMap { try? RepositoryPath(parsing: $0) }.filter { seen.insert($0).inserted }
    }
}
