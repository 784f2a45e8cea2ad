/// A mirror that the user names: what of a registry is asked for there first.
public struct RegistryMirror: Hashable, Sendable, CustomStringConvertible {
    /// What it is a mirror of.
    let prefix: RegistryNamespace
    /// Where that is in the mirror.
    let location: RegistryNamespace

    /// `REGISTRY[/PREFIX]=MIRROR[:PORT][/PREFIX]`.
    public var description: String { "\(prefix)=\(location)" }

    /// Reads `REGISTRY[/PREFIX]=MIRROR[:PORT][/PREFIX]`.
    ///
    /// - Throws: ``DrayageError`` with `usage`.
    public init(parsing text: String) throws {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
        guard sides.count == 2 else {
            throw DrayageError(.usage, "\"\(text)\" is not REGISTRY[/PREFIX]=MIRROR[:PORT][/PREFIX]")
        }
        func namespace(_ side: String) throws -> RegistryNamespace {
            guard !side.contains("://") else {
                throw DrayageError(.usage, "\"\(text)\" names a scheme, and a mirror is named as in a reference")
            }
            do {
                return try RegistryNamespace(parsing: side)
            } catch {
                throw DrayageError(.usage, "\"\(text)\" names no registry and its mirror", underlying: error)
            }
        }
        (prefix, location) = (try namespace(sides[0]), try namespace(sides[1]))
    }
}
