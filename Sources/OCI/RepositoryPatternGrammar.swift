/// What a ``RepositoryPattern`` may say.
enum RepositoryPatternGrammar {
    /// Checks a pattern.
    ///
    /// - Returns: the pattern; one without wildcards as the canonical name of the repository.
    /// - Throws: ``RepositoryPatternError`` with the rule that it breaks, and where.
    static func checked(_ text: String) throws(RepositoryPatternError) -> String {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw RepositoryPatternError(.empty, in: text) }
        guard bytes.count <= RepositoryPattern.byteLimit else { throw RepositoryPatternError(.tooLong, in: text) }
        if let at = bytes.firstIndex(of: UInt8(ascii: "@")) {
            throw RepositoryPatternError(.hasDigest, in: text, at: at)
        }
        let slashes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "/") }
        // Only a host has a colon, and something after it.
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > slashes.last ?? -1 {
            throw RepositoryPatternError(.hasTag, in: text, at: colon)
        }
        guard bytes.contains(UInt8(ascii: "*")) else {
            // As a reference, `ghcr.io` is an image of Docker Hub; as a pattern, somebody means all of that registry.
            guard !slashes.isEmpty || !isCustomaryHost(bytes[...]) else {
                throw RepositoryPatternError(.incomplete, in: text)
            }
            return try repository(text)
        }
        let host = bytes[..<(slashes.first ?? bytes.endIndex)]
        if let wrong = firstInvalid(in: host, isHost: true) ?? firstInvalid(in: bytes[host.endIndex...], isHost: false)
        {
            throw RepositoryPatternError(.invalidCharacter, in: text, at: wrong)
        }
        if let empty = slashes.first(where: { $0 == 0 || $0 == bytes.endIndex - 1 || bytes[$0 - 1] == bytes[$0] }) {
            throw RepositoryPatternError(.emptyPart, in: text, at: empty)
        }
        guard canMatch(bytes, host: host) else { throw RepositoryPatternError(.incomplete, in: text) }
        return text
    }

    private static func repository(_ text: String) throws(RepositoryPatternError) -> String {
        do {
            return try Reference(parsing: text).repository.description
        } catch {
            throw RepositoryPatternError(.notRepository(error), in: text)
        }
    }

    private static func firstInvalid(in bytes: ArraySlice<UInt8>, isHost: Bool) -> Int? {
        // In the host too what is in no host: `**` may go on from there into the path.
        bytes.firstIndex { byte in
            !(byte.isLowerAlphanumeric || "._-/*".utf8.contains(byte))
                && !(isHost && (byte.isUpper || ":[]".utf8.contains(byte)))
        }
    }

    /// Whether there is a name at all that a pattern matches, as far as people are likely to get that wrong.
    ///
    /// Whoever writes `library/*` or `docker.io/*` means Docker Hub, whose names have three parts. That it matches
    /// nothing would go unnoticed, and nothing would be asked of those images.
    private static func canMatch(_ bytes: [UInt8], host: ArraySlice<UInt8>) -> Bool {
        let stars = host.firstIndex(of: UInt8(ascii: "*"))
        let path = bytes[host.endIndex...]
        if let stars {
            // Without a slash only `**` reaches a path.
            return !path.isEmpty || hasAnything(bytes[stars...])
        }
        let name = String(decoding: host, as: UTF8.self).lowercased()
        guard isCustomaryHost(host), ReferenceGrammar.firstInvalidInDomain(host) == nil, name != "index.docker.io"
        else {
            return false
        }
        return name != "docker.io" || hasAnything(path) || path.count(where: { $0 == UInt8(ascii: "/") }) > 1
    }

    /// Whether people, and so references, take a first part for a host.
    private static func isCustomaryHost(_ part: ArraySlice<UInt8>) -> Bool {
        part.elementsEqual("localhost".utf8) || part.contains { ".:".utf8.contains($0) || $0.isUpper }
    }

    private static func hasAnything(_ bytes: ArraySlice<UInt8>) -> Bool {
        zip(bytes, bytes.dropFirst()).contains { $0 == UInt8(ascii: "*") && $1 == UInt8(ascii: "*") }
    }
}
