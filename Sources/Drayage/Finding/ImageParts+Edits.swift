import YAML

extension ImageParts {
    /// The replacements that leave everything as it is: another image may share a part by way of an alias.
    func unchanged(in source: RewritableText) -> [TextEdit] {
        [registry, main, tag, digest].compactMap { part in part.map { TextEdit(leaving: $0, of: source) } }
    }

    /// The replacements that make these parts those of another image; nil where a part would have to be added or
    /// taken away that cannot be.
    ///
    /// - Throws: ``ReferenceError`` where the other image's text is no reference.
    func edits(for new: String, in source: RewritableText) throws(ReferenceError) -> [TextEdit]? {
        let reference = try Reference(parsing: new)
        let syntax = try ReferenceSyntax(parsingCustomary: new)
        let name = (syntax.domain.map { $0 + "/" } ?? "") + syntax.path
        // What is behind the name goes where it was.
        let suffix = isRepositoryWhole ? String(syntax.description.dropFirst(name.count)) : ""
        var parts: [(YAMLScalar?, String?)] = []
        if !isRepositoryWhole { parts = [(tag, reference.tag?.description), (digest, reference.digest?.description)] }
        var edits: [TextEdit] = []
        if registry != nil {
            let repository = (repository, reference.repository.path + suffix)
            parts += [(registry, reference.repository.registry), repository]
        } else if repository != nil {
            parts.append((repository, name + suffix))
        } else if main?.value != name {
            guard let edit = newName(name, in: source.bytes) else { return nil }
            edits.append(edit)
        }
        for (scalar, part) in parts where scalar != nil || part != nil {
            guard let scalar, let part, let edit = TextEdit(replacing: scalar.value, by: part, in: scalar, of: source)
            else { return nil }
            edits.append(edit)
        }
        return edits
    }

    /// The insertion of `newName` behind `name`.
    private func newName(_ newName: String, in text: [UInt8]) -> TextEdit? {
        guard takesNewName, let name, case .scalar(let value) = name.value else { return nil }
        if name.key.isInFlow {
            let isQuoted = name.key.style != .plain
            let key = isQuoted ? "\"newName\"" : "newName"
            return TextEdit(
                owner: value.use.upperBound,
                range: value.use.upperBound..<value.use.upperBound,
                text: ", \(key): \(TextEdit.quoted(newName))"
            )
        }
        guard let indentation = Self.indentation(of: name.key, in: text) else { return nil }
        var end = value.use.upperBound
        while end < text.count, !"\r\n".utf8.contains(text[end]) { end += 1 }
        let lineEnd = text[end...].starts(with: "\r\n".utf8) ? "\r\n" : "\n"
        // A plain name that looks like something else would be taken for it.
        let isText = newName.utf8.contains(UInt8(ascii: "/")) && newName.utf8.first != UInt8(ascii: "[")
        let written = isText ? newName : TextEdit.quoted(newName)
        return TextEdit(owner: end, range: end..<end, text: lineEnd + indentation + "newName: " + written)
    }

    /// Blanks as far as a key is indented, nil where more than dashes stands before it.
    private static func indentation(of key: YAMLScalar, in text: [UInt8]) -> String? {
        let before = text[..<key.source.lowerBound]
        let line = before.suffix(from: before.lastIndex { "\r\n".utf8.contains($0) }.map { $0 + 1 } ?? 0)
        // A byte order mark takes no room.
        let indentation = line.starts(with: [0xef, 0xbb, 0xbf]) ? line.dropFirst(3) : line
        guard indentation.allSatisfy({ " -".utf8.contains($0) }) else { return nil }
        return String(repeating: " ", count: indentation.count)
    }
}
