import OCI

/// A header field that the user sends with every request to one registry.
///
/// Its value may be a secret, and is never printed.
package struct ExtraHeader: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name.
    package let name: String
    let value: String

    /// The name alone.
    package var description: String { name }
    /// The name alone.
    package var debugDescription: String { description }
    /// No secret: what `dump` and a crash would print.
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// What a header field cannot be.
    package struct Failure: Error, CustomStringConvertible {
        /// Why, without the value.
        package let description: String
    }

    /// The most bytes of a value: what servers take of a whole head.
    private static let valueLimit = 8192

    /// Those that a request, its body and its connection have of their own, and who we are.
    private static let ownNames: Set<String> = [
        "accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length",
        "content-range", "content-type", "expect", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
        "if-unmodified-since", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    ]

    /// Spec: RFC 9110 "Tokens".
    private static let nameCharacters = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~".utf8
    )

    /// Takes a name and a value; blanks around the value are nothing.
    ///
    /// - Throws: ``Failure`` for a name or a value that no header field can have, and for the name of a field that is
    ///   Drayage's own.
    package init(name: String, value: String) throws(Failure) {
        guard !name.isEmpty, name.utf8.allSatisfy(Self.nameCharacters.contains) else {
            throw Failure(description: "\"\(name.printableExcerpt)\" is no name of a header")
        }
        guard !Self.ownNames.contains(name.lowercased()) else {
            throw Failure(description: "\(name) is a header that drayage itself sets")
        }
        let blanks = Set(" \t".utf8)
        let bytes = value.utf8.drop(while: blanks.contains).reversed().drop(while: blanks.contains).reversed()
        guard !bytes.isEmpty, bytes.count <= Self.valueLimit, bytes.allSatisfy({ $0 == 9 || (32...126).contains($0) })
        else {
            let most = "1 to \(Self.valueLimit) plain characters"
            throw Failure(description: "the value of \(name) is none that a header can have: \(most), no line ends")
        }
        (self.name, self.value) = (name, String(decoding: bytes, as: UTF8.self))
    }
}
