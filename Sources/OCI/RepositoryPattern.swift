/// Which repositories something is for: `ghcr.io/acme/*`.
///
/// It is the name of a repository, in which `*` stands for any characters within one part, none included, and `**` for
/// any characters whatever. It is held against the whole of a name; how a host is written is no way around it: `GHCR.io`
/// and `ghcr.io:443` are `ghcr.io`, and Docker Hub is `docker.io` whichever of its hosts is named.
package struct RepositoryPattern: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes of a pattern: a name has 255, and there may be wildcards between any two of them.
    package static let byteLimit = 512

    /// The pattern; without wildcards it is completed, as a reference is: `docker.io/library/alpine`.
    package let description: String
    private let steps: [Step]

    private enum Step: Hashable, Sendable {
        /// This byte.
        case byte(UInt8)
        /// Any number of bytes, whatever but "/".
        case withinPart
        /// Any number of bytes.
        case anything

        var isWildcard: Bool { if case .byte = self { false } else { true } }
    }

    /// Reads a pattern.
    ///
    /// - Parameter text: the pattern. Without wildcards it is a repository as people write it, where `alpine` is Docker
    ///   Hub's; with wildcards it has to be written in full.
    /// - Throws: ``RepositoryPatternError`` with the rule that it breaks, and where.
    package init(parsing text: String) throws(RepositoryPatternError) {
        description = try RepositoryPatternGrammar.checked(text)
        steps = Self.steps(of: Array(Self.canonical(description).utf8))
    }

    private static func steps(of bytes: [UInt8]) -> [Step] {
        var steps: [Step] = []
        var index = 0
        while index < bytes.count {
            let rest = bytes[index...]
            let stars = rest.prefix { $0 == UInt8(ascii: "*") }.count
            steps.append(stars == 0 ? .byte(bytes[index]) : stars == 1 ? .withinPart : .anything)
            index += max(stars, 1)
        }
        return steps
    }

    /// A name or a pattern in the one way in which its host can be written.
    private static func canonical(_ name: String) -> String {
        let parts = name.lowercased().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return name.lowercased() }
        let host = parts[0].hasSuffix(":443") ? parts[0].dropLast(4) : parts[0]
        let isHub = ["index.docker.io", "registry-1.docker.io"].contains(host)
        return "\(isHub ? "docker.io" : host)/\(parts[1])"
    }

    /// Whether a repository is one of those that are meant.
    ///
    /// All ways to match are followed at once, so that the time is the product of both lengths and no more.
    package func matches(_ repository: Repository) -> Bool {
        // The steps before which one may stand, once what has been read of the name is matched.
        var standing = [Bool](repeating: false, count: steps.count + 1)
        standing[0] = true
        skipWildcards(&standing)
        for byte in Self.canonical(repository.description).utf8 {
            var next = [Bool](repeating: false, count: steps.count + 1)
            for (index, step) in steps.enumerated() where standing[index] {
                switch step {
                case .byte(byte): next[index + 1] = true
                case .byte: break
                case .withinPart: next[index] = byte != UInt8(ascii: "/") || next[index]
                case .anything: next[index] = true
                }
            }
            skipWildcards(&next)
            standing = next
        }
        return standing[steps.count]
    }

    /// A wildcard may stand for nothing.
    private func skipWildcards(_ standing: inout [Bool]) {
        for (index, step) in steps.enumerated() where standing[index] && step.isWildcard { standing[index + 1] = true }
    }
}
