import YAML

extension ImageFinder {
    /// Replaces the images that a file names, and changes nothing else of it.
    ///
    /// - Parameters:
    ///   - text: the file's bytes.
    ///   - name: what places call it.
    ///   - map: gives the reference to write for one that was found, as it is written; an image in several parts is put
    ///     together for it and its answer taken apart.
    /// - Returns: the new bytes, and what was found before; an image that could not be replaced is among the problems,
    ///   be it that `map` threw an error or that its answer is no reference.
    /// - Throws: `CancellationError` if `map` throws it, and nothing else.
    public func rewrite(
        _ text: [UInt8],
        name: String,
        _ map: (String) throws -> String
    ) throws -> (text: [UInt8], findings: Findings) {
        let found = search(text)
        let source = RewritableText(text, found)
        var findings = Findings([], name: name)
        var edits = TextEdits()
        for image in found {
            findings.add(image, name: name)
            guard let (old, written) = image.writtenText else { continue }
            var problem = image
            do {
                let new = try map(old)
                if let made = try Self.edits(written, from: old, to: new, in: source), edits.add(made) { continue }
                problem.content = .problem(text: old, reason: Self.irreplaceable(by: new))
            } catch let error as CancellationError {
                throw error
            } catch {
                problem.content = .problem(text: old, reason: "\(error)")
            }
            findings.add(problem, name: name)
        }
        return (edits.applied(to: text), findings)
    }

    private static func irreplaceable(by new: String) -> String {
        "it cannot be replaced by \(new.printableExcerpt) where it is written; change it by hand"
    }

    private static func edits(
        _ written: WrittenImage,
        from old: String,
        to new: String,
        in source: RewritableText
    ) throws(ReferenceError) -> [TextEdit]? {
        _ = try Reference(parsing: new)
        switch written {
        case .bytes(let range): return [TextEdit(owner: range.lowerBound, range: range, text: new)]
        case .parts(let parts) where new == old: return parts.unchanged(in: source)
        case .parts(let parts): return try parts.edits(for: new, in: source)
        case .scalar(let scalar): return TextEdit(replacing: old, by: new, in: scalar, of: source).map { [$0] }
        }
    }
}
