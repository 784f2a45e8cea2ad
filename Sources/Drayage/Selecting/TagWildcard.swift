/// What stands in a list of images for all tags of a repository: `ghcr.io/acme/app:*`.
enum TagWildcard {
    /// What a text ends in that means all tags.
    static let suffix = ":*"

    /// The repository of which a text means all tags.
    ///
    /// - Parameter text: an entry of a list.
    /// - Returns: nil where it means something else, a reference above all.
    /// - Throws: ``ReferenceError`` where what precedes `:*` is no repository alone.
    static func repository(of text: String) throws(ReferenceError) -> Repository? {
        guard text.hasSuffix(suffix) else { return nil }
        let reference = try Reference(parsing: String(text.dropLast(suffix.count)))
        guard reference.tag == nil, reference.digest == nil else {
            // It is no reference either, and that has the words for it.
            _ = try Reference(parsing: text)
            return nil
        }
        return reference.repository
    }
}
