/// The grammar of references, on bytes.
///
/// It is the grammar of distribution's `reference` package as it is today (so with IPv6 hosts), anchored at both ends,
/// without trimming.
enum ReferenceGrammar {
    /// The most characters of a name: host, slash and path.
    static let nameLengthLimit = 255

    /// Who decides whether the first component of a name is a host.
    enum DomainRule {
        /// Any first component that has the form of a host.
        case syntactic
        /// Only one that looks like a host to a person: `localhost`, or with a dot, a colon or an upper-case letter.
        case customary
    }

    /// Splits a text into its parts.
    static func parse(_ text: String, domains rule: DomainRule) throws(ReferenceError) -> ReferenceSyntax {
        do {
            return try parseOnce(text, domains: rule)
        } catch {
            // "must be lower case" is the more helpful answer, but only where that is all that is wrong.
            guard error.code == .invalidFormat || error.code == .invalidTag else { throw error }
            let lowered = text.lowercased()
            guard lowered != text, isWellFormed(lowered, domains: rule) else { throw error }
            throw ReferenceError(.nameContainsUppercase, in: text, at: error.offset)
        }
    }

    private static func isWellFormed(_ text: String, domains rule: DomainRule) -> Bool {
        do {
            _ = try parseOnce(text, domains: rule)
            return true
        } catch {
            return error.code != .invalidFormat && error.code != .invalidTag
        }
    }

    private static func parseOnce(_ text: String, domains rule: DomainRule) throws(ReferenceError) -> ReferenceSyntax {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { throw ReferenceError(.nameEmpty, in: text, at: 0) }

        let at = bytes.firstIndex(of: UInt8(ascii: "@"))
        let named = bytes[..<(at ?? bytes.endIndex)]
        // A colon before the last slash belongs to a host.
        let lastComponent = named.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? named.startIndex
        let colon = named[lastComponent...].firstIndex(of: UInt8(ascii: ":"))
        let name = named[..<(colon ?? named.endIndex)]

        let (domain, path) = try splitName(name, of: text, domains: rule)
        var tag: Tag?
        if let colon {
            let value = named[(colon + 1)...]
            if let wrong = Tag.firstInvalid(in: value) { throw ReferenceError(.invalidTag, in: text, at: wrong) }
            tag = Tag(unchecked: String(decoding: value, as: UTF8.self))
        }
        if let at, let wrong = firstInvalidInDigest(bytes[(at + 1)...]) {
            throw ReferenceError(.invalidFormat, in: text, at: wrong)
        }
        guard name.count <= nameLengthLimit else { throw ReferenceError(.nameTooLong, in: text, at: 0) }
        var digest: Digest?
        if let at {
            let value = String(decoding: bytes[(at + 1)...], as: UTF8.self)
            digest = try Digest(parsing: value, within: text, at: at + 1)
        }
        return ReferenceSyntax(domain: domain, path: path, tag: tag, digest: digest)
    }

    private static func splitName(
        _ name: ArraySlice<UInt8>,
        of text: String,
        domains rule: DomainRule
    ) throws(ReferenceError) -> (domain: String?, path: String) {
        guard let slash = name.firstIndex(of: UInt8(ascii: "/")), isDomain(name[..<slash], rule) else {
            return (nil, try checkedPath(name, of: text))
        }
        let domain = name[..<slash]
        if let wrong = firstInvalidInDomain(domain) {
            throw ReferenceError(.invalidFormat, in: text, at: wrong)
        }
        return (String(decoding: domain, as: UTF8.self), try checkedPath(name[(slash + 1)...], of: text))
    }

    private static func isDomain(_ component: ArraySlice<UInt8>, _ rule: DomainRule) -> Bool {
        switch rule {
        case .syntactic:
            firstInvalidInDomain(component) == nil
        case .customary:
            component.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") || $0.isUpper }
                || component.elementsEqual("localhost".utf8)
        }
    }

    private static func checkedPath(_ path: ArraySlice<UInt8>, of text: String) throws(ReferenceError) -> String {
        if let wrong = firstInvalidInPath(path) { throw ReferenceError(.invalidFormat, in: text, at: wrong) }
        return String(decoding: path, as: UTF8.self)
    }

    // MARK: - The rules. Each returns the index of the first byte that breaks it, nil where none does.

    /// path = component ("/" component)*; component = alphanumerics (separator alphanumerics)*;
    /// separator = "." | "_" | "__" | "-"+.
    ///
    /// Spec: distribution "Pulling manifests", the rule for `<name>`.
    static func firstInvalidInPath(_ path: ArraySlice<UInt8>) -> Int? {
        var index = path.startIndex
        while true {
            guard index < path.endIndex, path[index].isLowerAlphanumeric else { return index }
            while index < path.endIndex, path[index].isLowerAlphanumeric { index += 1 }
            guard index < path.endIndex else { return nil }
            switch path[index] {
            case UInt8(ascii: "/"), UInt8(ascii: "."):
                index += 1
            case UInt8(ascii: "_"):
                index += 1
                if index < path.endIndex, path[index] == UInt8(ascii: "_") { index += 1 }
            case UInt8(ascii: "-"):
                while index < path.endIndex, path[index] == UInt8(ascii: "-") { index += 1 }
            default:
                return index
            }
        }
    }

    /// domain = host [":" digits]; host = "[" IPv6 "]" | label ("." label)*; label = alphanumerics with "-" inside.
    static func firstInvalidInDomain(_ domain: ArraySlice<UInt8>) -> Int? {
        var index = domain.startIndex
        if domain.first == UInt8(ascii: "[") {
            guard let close = domain.firstIndex(of: UInt8(ascii: "]")) else { return domain.endIndex }
            let address = domain[(index + 1)..<close]
            if address.isEmpty { return close }
            if let wrong = address.firstIndex(where: { !$0.isHex && $0 != UInt8(ascii: ":") }) { return wrong }
            index = close + 1
        } else {
            while true {
                let start = index
                while index < domain.endIndex, domain[index].isAlphanumeric || domain[index] == UInt8(ascii: "-") {
                    index += 1
                }
                guard index > start, domain[start] != UInt8(ascii: "-") else { return start }
                guard domain[index - 1] != UInt8(ascii: "-") else { return index - 1 }
                guard index < domain.endIndex, domain[index] == UInt8(ascii: ".") else { break }
                index += 1
            }
        }
        guard index < domain.endIndex else { return nil }
        guard domain[index] == UInt8(ascii: ":") else { return index }
        let port = domain[(index + 1)...]
        guard !port.isEmpty else { return domain.endIndex }
        return port.firstIndex { !$0.isDigit }
    }

    /// digest = algorithm ":" 32 or more hexadecimal digits; algorithm = parts joined by one of "- _ + .".
    private static func firstInvalidInDigest(_ digest: ArraySlice<UInt8>) -> Int? {
        var index = digest.startIndex
        while true {
            guard index < digest.endIndex, digest[index].isLower || digest[index].isUpper else { return index }
            while index < digest.endIndex, digest[index].isAlphanumeric { index += 1 }
            guard index < digest.endIndex else { return index }
            if digest[index] == UInt8(ascii: ":") { break }
            guard "-_+.".utf8.contains(digest[index]) else { return index }
            index += 1
        }
        let encoded = digest[(index + 1)...]
        if let wrong = encoded.firstIndex(where: { !$0.isHex }) { return wrong }
        return encoded.count < 32 ? encoded.endIndex : nil
    }
}
