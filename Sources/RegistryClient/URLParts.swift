import FoundationEssentials

/// The little that is done with URLs: comparing origins and resolving what a `Location` or a `Link` says.
///
/// A URL stays the text that the registry gave: upload locations carry state that must come back unchanged.
enum URLParts {
    /// Scheme, host and port: what credentials belong to.
    struct Origin: Hashable, Sendable {
        let scheme: String
        let host: String
        let port: Int
    }

    /// The origin of an http or https URL, nil for anything else.
    ///
    /// A host is a name or an address in plain ASCII, as DNS and TLS know it. Any other text might be escaped or mapped
    /// in one way where it is looked at and in another where it is connected to, or equal a name that it is not.
    static func origin(of text: String) -> Origin? {
        guard let authority = authority(of: text), authority.utf8.allSatisfy({ $0 < 128 }),
            let url = URL(string: text), let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http",
            let host = url.host, !host.isEmpty, host.utf8.allSatisfy(hostCharacters.contains)
        else { return nil }
        return Origin(scheme: scheme, host: host.lowercased(), port: url.port ?? (scheme == "https" ? 443 : 80))
    }

    /// Resolves a reference against the URL that it came with.
    ///
    /// What is absolute is taken as it is.
    ///
    /// Spec: RFC 3986 "Reference Resolution".
    static func resolve(_ location: String, against base: String) -> String? {
        if location.contains("://"), origin(of: location) != nil { return location }
        guard let baseURL = URL(string: base), let scheme = baseURL.scheme else { return nil }
        if location.hasPrefix("//") { return "\(scheme):\(location)" }
        if location.hasPrefix("/"), let authority = authority(of: base) { return "\(scheme)://\(authority)\(location)" }
        guard let resolved = URL(string: location, relativeTo: baseURL)?.absoluteString, origin(of: resolved) != nil
        else { return nil }
        return resolved
    }

    /// The URL with the characters escaped that no URL may hold, and all others as they are.
    ///
    /// Registries give URLs with such characters, and a parser that finds one would escape the whole query anew.
    static func legal(_ text: String) -> String {
        // Nearly all URLs are of such characters alone.
        guard !hasAllowedAlone(text) else { return text }
        let bytes = Array(text.utf8)
        let authorityEnd = authority(of: text).map { text.utf8.distance(from: text.startIndex, to: $0.endIndex) } ?? 0
        func isLegal(_ index: Int) -> Bool {
            switch bytes[index] {
            case UInt8(ascii: "%"):
                index + 2 < bytes.count
                    && [1, 2].allSatisfy { Character(Unicode.Scalar(bytes[index + $0])).isHexDigit }
            // Only an IPv6 address is written in brackets.
            case UInt8(ascii: "["), UInt8(ascii: "]"): index < authorityEnd
            case let byte: isAllowed[Int(byte)]
            }
        }
        guard !bytes.indices.allSatisfy(isLegal) else { return text }
        let result = bytes.indices.flatMap { isLegal($0) ? [bytes[$0]] : escape(bytes[$0]) }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hasAllowedAlone(_ text: String) -> Bool {
        let (bytes, isAllowed) = (text.utf8Span.span, isAllowed)
        for index in bytes.indices where !isAllowed[Int(bytes[index])] { return false }
        return true
    }

    private static let hostCharacters = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:".utf8
    )

    /// For each byte; a table, as each URL of thousands is looked through.
    ///
    /// Spec: RFC 3986 "Characters": reserved and unreserved, without the brackets.
    private static let isAllowed: [Bool] = {
        let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;="
        return (0...UInt8.max).map(Set(text.utf8).contains)
    }()

    private static func escape(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// Adds a parameter to the query, whatever is there already.
    static func appending(_ name: String, _ value: String, to url: String) -> String {
        "\(url)\(url.utf8.contains(UInt8(ascii: "?")) ? "&" : "?")\(name)=\(percentEncoded(value))"
    }

    /// A value as it may stand in a query.
    static func percentEncoded(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"), UInt8(ascii: ":"):
                result.append(byte)
            default:
                result += escape(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The URL with another host and port, and without a user.
    static func replacingAuthority(of url: String, with authority: String) -> String {
        guard let own = Self.authority(of: url) else { return url }
        return url[..<own.startIndex] + authority + url[own.endIndex...]
    }

    /// The URL without its query, fragment and user.
    static func redacted(_ text: String) -> String {
        let path = String(text.beginning(before: "?#"))
        guard let authority = authority(of: path), let at = authority.utf8.lastIndex(of: UInt8(ascii: "@")) else {
            return path
        }
        return String(path[..<authority.startIndex] + path[path.utf8.index(after: at)...])
    }

    private static func authority(of text: String) -> Substring? {
        var rest = text.utf8[...]
        while let colon = rest.firstIndex(of: UInt8(ascii: ":")) {
            rest = rest[rest.index(after: colon)...]
            if rest.starts(with: "//".utf8) { return Substring(rest.dropFirst(2)).beginning(before: "/?#") }
        }
        return nil
    }
}

extension StringProtocol where SubSequence == Substring {
    /// The text up to the first of some bytes: as characters they would hide behind an accent that follows them.
    fileprivate func beginning(before ends: String) -> Substring {
        self[..<(utf8.firstIndex { ends.utf8.contains($0) } ?? endIndex)]
    }
}
