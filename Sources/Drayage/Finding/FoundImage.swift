import YAML

/// What a search has found at one place.
struct FoundImage {
    enum Content {
        /// An image, its text, and how this is written.
        case image(Reference, text: String, WrittenImage)
        /// All tags of a repository, as a list may ask for them.
        case allTags(Repository, text: String, WrittenImage)
        /// A text that should name an image and does not, and why.
        case problem(text: String, reason: String)
    }

    var content: Content
    /// Where it stands in the whole text, in bytes.
    let offset: Int
    /// The line that it stands in, counted from 1.
    let line: Int
    var object: String?
    var field: String?

    /// The beginning of a text, of which messages show no more.
    static func excerpt(of text: String) -> String {
        // One more than they show, so that they say that it goes on.
        let start = text.unicodeScalars.prefix(301)
        return start.endIndex == text.endIndex ? text : String(start)
    }
}

extension FoundImage {
    /// What is replaced, and how it is written; nil where it is no image.
    var writtenText: (text: String, written: WrittenImage)? {
        switch content {
        case .image(_, let text, let written), .allTags(_, let text, let written): (text, written)
        case .problem: nil
        }
    }
}

/// How an image is written, for who replaces it.
enum WrittenImage {
    /// In these bytes, as they are.
    case bytes(Range<Int>)
    /// At the end of a scalar, most often as all of it.
    case scalar(YAMLScalar)
    /// In several scalars.
    case parts(ImageParts)
}

/// An image whose parts are written one by one.
struct ImageParts {
    var registry: YAMLScalar?
    /// The repository; nil where ``name`` gives it.
    var repository: YAMLScalar?
    var tag: YAMLScalar?
    var digest: YAMLScalar?
    /// The entry of a kustomization that gives the repository as long as there is no new name.
    var name: YAMLMapping.Entry?
    /// Whether a new name can be written behind ``name``.
    var takesNewName = false

    /// The scalar that stands for the whole.
    var main: YAMLScalar? {
        guard case .scalar(let name)? = name?.value else { return repository }
        return repository ?? name
    }

    /// Whether one part has the tag or the digest in it, if there is any.
    var isRepositoryWhole: Bool { repository != nil && tag == nil && digest == nil }

    /// The reference that they make.
    var text: String {
        (registry.map { $0.beginning + "/" } ?? "") + (main?.beginning ?? "")
            + (tag.map { ":" + $0.beginning } ?? "") + (digest.map { "@" + $0.beginning } ?? "")
    }
}

extension YAMLScalar {
    /// The most bytes of a text that may be a reference, which is more than any has.
    private static let lengthLimit = 1024

    /// Whether there is nothing in it but white space.
    var isBlank: Bool {
        value.utf8.count <= Self.lengthLimit && value.utf8.allSatisfy { " \t\r\n".utf8.contains($0) }
    }

    /// Whether this is an alias, which stands elsewhere than the scalar itself.
    var isAlias: Bool { use != source }

    /// The value, or the beginning of one that is too long to be a reference: aliases may use it very often.
    var beginning: String {
        guard value.utf8.count > Self.lengthLimit else { return value }
        return String(decoding: value.utf8.prefix(Self.lengthLimit), as: UTF8.self)
    }
}
