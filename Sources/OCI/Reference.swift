/// A reference as it is written, taken apart by the grammar alone: nothing is added, nothing is guessed.
///
/// `description` gives the text back exactly. The host is purely syntactic (`library/debian` has the domain `library`);
/// what people mean by a reference is ``Reference``.
package struct ReferenceSyntax: Hashable, Sendable, CustomStringConvertible {
    /// The host, with its port.
    package let domain: String?
    /// The repository's path on that host.
    package let path: String
    /// The tag.
    package let tag: Tag?
    /// The digest.
    package let digest: Digest?

    /// The text that was parsed.
    package var description: String {
        (domain.map { $0 + "/" } ?? "") + path + suffix(tag: tag, digest: digest)
    }
}

extension ReferenceSyntax {
    /// Takes a text apart.
    ///
    /// - Throws: ``ReferenceError`` with the rule that it breaks, and where.
    package init(parsing text: String) throws(ReferenceError) {
        self = try ReferenceGrammar.parse(text, domains: .syntactic)
    }

    /// Takes a text apart as a person means it: the first component is a host only where it looks like one.
    ///
    /// - Throws: ``ReferenceError`` with the rule that it breaks, and where.
    package init(parsingCustomary text: String) throws(ReferenceError) {
        self = try ReferenceGrammar.parse(text, domains: .customary)
    }
}

/// A reference to an image as Docker, Podman and containerd understand it: a repository of a registry, and a tag, a
/// digest or both.
///
/// Short names mean Docker Hub: `redis` is `docker.io/library/redis`. The first component is a registry only if it
/// contains a dot, a colon or an upper-case letter, or is `localhost`.
public struct Reference: Hashable, Sendable, CustomStringConvertible {
    /// Where the image is.
    public let repository: Repository
    /// The tag, if the reference has one.
    public let tag: Tag?
    /// The digest, if the reference has one, which decides where both are given.
    public let digest: Digest?

    /// The canonical form: `docker.io/library/alpine:3.20`.
    public var description: String { repository.description + suffix(tag: tag, digest: digest) }

    /// Puts a reference together.
    public init(repository: Repository, tag: Tag?, digest: Digest?) {
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// Reads a reference as a person writes it, and normalises it.
    ///
    /// - Throws: ``ReferenceError`` with the rule that it breaks, and where.
    public init(parsing text: String) throws(ReferenceError) {
        if text.utf8.count == 64, text.utf8.allSatisfy(\.isLowerHex) {
            throw ReferenceError(.nameIsIdentifier, in: text, at: 0)
        }
        let syntax = try ReferenceGrammar.parse(text, domains: .customary)
        let repository = Repository(customaryRegistry: syntax.domain, path: syntax.path)
        guard repository.description.utf8.count <= ReferenceGrammar.nameLengthLimit else {
            throw ReferenceError(.nameTooLong, in: text, at: 0)
        }
        self.init(repository: repository, tag: syntax.tag, digest: syntax.digest)
    }

    /// The reference with the tag `latest` where it has neither tag nor digest.
    public var withDefaultTag: Reference {
        guard tag == nil, digest == nil else { return self }
        return Reference(repository: repository, tag: .latest, digest: nil)
    }

    /// The name of the image within a bundle: `name:tag`, or `name@digest` where there is no tag.
    public var bundleName: String {
        repository.description + suffix(tag: tag, digest: tag == nil ? digest : nil)
    }
}

/// A repository: a registry's host and a path on it.
public struct Repository: Hashable, Sendable, CustomStringConvertible {
    /// The registry's host, with its port where one is given; an IPv6 address in brackets.
    public let registry: String
    /// The path on the registry: `library/alpine`.
    public let path: String

    /// `registry/path`.
    public var description: String { registry + "/" + path }

    /// Takes a registry and a path as they are.
    ///
    /// - Throws: ``ReferenceError`` when the path is no repository name or the host is no host.
    public init(registry: String, path: String) throws(ReferenceError) {
        let whole = registry + "/" + path
        let host = Array(registry.utf8)
        if let wrong = ReferenceGrammar.firstInvalidInDomain(host[...]) {
            throw ReferenceError(.invalidFormat, in: whole, at: wrong)
        }
        let bytes = Array(path.utf8)
        if let wrong = ReferenceGrammar.firstInvalidInPath(bytes[...]) {
            throw ReferenceError(
                bytes.contains(where: \.isUpper) ? .nameContainsUppercase : .invalidFormat,
                in: whole,
                at: host.count + 1 + wrong
            )
        }
        guard whole.utf8.count <= ReferenceGrammar.nameLengthLimit else {
            throw ReferenceError(.nameTooLong, in: whole, at: 0)
        }
        self.registry = registry
        self.path = path
    }

    /// Completes a short name: no registry is Docker Hub, and one component there is an official image.
    init(customaryRegistry registry: String?, path: String) {
        let host = registry == nil || registry == "index.docker.io" ? Self.dockerHub : registry ?? Self.dockerHub
        self.registry = host
        self.path = host == Self.dockerHub && !path.contains("/") ? "library/" + path : path
    }

    private static let dockerHub = "docker.io"
}

/// A tag: 1 to 128 letters, digits, `_`, `.` and `-`, the last two not first.
public struct Tag: Hashable, Sendable, CustomStringConvertible {
    /// The tag that a reference without one means.
    public static let latest = Tag(unchecked: "latest")

    /// The tag's text.
    public let description: String

    init(unchecked text: String) { description = text }

    /// Takes a text that is a tag.
    ///
    /// - Throws: ``ReferenceError`` with `invalidTag`.
    public init(parsing text: String) throws(ReferenceError) {
        let bytes = Array(text.utf8)
        if let wrong = Self.firstInvalid(in: bytes[...]) { throw ReferenceError(.invalidTag, in: text, at: wrong) }
        description = text
    }

    /// The index of the first byte that no tag may have there, nil where there is none.
    static func firstInvalid(in bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first, first.isAlphanumeric || first == UInt8(ascii: "_") else {
            return bytes.startIndex
        }
        if let wrong = bytes.firstIndex(where: { !$0.isAlphanumeric && !"_.-".utf8.contains($0) }) { return wrong }
        return bytes.count > 128 ? bytes.startIndex + 128 : nil
    }
}

private func suffix(tag: Tag?, digest: Digest?) -> String {
    (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
}
