extension ImageFinder {
    /// What a search has found.
    public struct Findings: Sendable {
        /// The images, in the order of the text.
        public var occurrences: [Occurrence] = []
        /// What should name an image and does not, in the order of the text.
        public var problems: [Problem] = []

        init(_ found: [FoundImage], name: String) {
            for found in found { add(found, name: name) }
        }

        mutating func add(_ found: FoundImage, name: String) {
            add(found, place: "\(name):\(found.line)".printable)
        }

        mutating func add(_ found: FoundImage, place: String) {
            switch found.content {
            case .image(let reference, let text, _):
                occurrences.append(
                    Occurrence(
                        reference: reference,
                        text: text,
                        place: place,
                        object: found.object,
                        field: found.field
                    )
                )
            case .allTags(let repository, let text, _):
                occurrences.append(
                    Occurrence(
                        reference: Reference(repository: repository, tag: nil, digest: nil),
                        text: text,
                        place: place,
                        object: found.object,
                        field: found.field,
                        meansAllTags: true
                    )
                )
            case .problem(let text, let reason):
                problems.append(
                    Problem(
                        text: text,
                        place: place,
                        object: found.object,
                        field: found.field,
                        reason: reason
                    )
                )
            }
        }
    }

    /// An image, and where it is named.
    public struct Occurrence: Sendable {
        /// The reference, normalised; without a tag where it is written without one.
        public let reference: Reference
        /// The reference as it is written; where it is written in parts, these put together.
        public let text: String
        /// Where it is: `deploy.yaml:12`.
        public let place: String
        /// The object that names it: `Deployment/web`, or `service web` of a Compose file.
        public let object: String?
        /// The field of the object: `spec.containers[0].image`.
        public let field: String?
        /// Whether all tags of its repository are meant, as a list may ask for them: `app:*`.
        public var meansAllTags = false
    }

    /// A value that should name an image and does not, or a document that cannot be read.
    public struct Problem: Sendable, CustomStringConvertible {
        /// The value as it is written, or the beginning of it; empty where there is none.
        public let text: String
        /// Where it is: `deploy.yaml:12`.
        public let place: String
        /// The object that it is part of: `Deployment/web`, or `service web` of a Compose file.
        public let object: String?
        /// The field of the object: `spec.containers[0].image`.
        public let field: String?
        /// Why it names none, and what to do where that is known.
        public let reason: String

        /// One line: place, value, field, cause.
        public var description: String {
            let field = field ?? ""
            guard !text.isEmpty else { return "\(place): \(field)\(field.isEmpty ? "" : ": ")\(reason.printable)" }
            let value = "\"\(text.printableExcerpt)\""
            let subject = "\(place): \(value)\(field.isEmpty ? "" : " (\(field))")"
            // What a reference breaks begins with the text itself.
            return reason.hasPrefix(value)
                ? subject + String(reason.dropFirst(value.count)).printable : "\(subject): \(reason.printable)"
        }
    }
}
