import FoundationEssentials

/// A user and a password out of an `Authorization` header.
///
/// Spec: RFC 7617 "The 'Basic' HTTP Authentication Scheme".
package struct BasicCredentials: Hashable, Sendable {
    /// The name, which has no colon.
    package let user: String
    /// The password.
    package let password: String

    /// Reads the value of an `Authorization` header.
    ///
    /// It is nil where the header has another scheme or is malformed, and where user and password are both empty, which
    /// is what containers/image sends in place of nothing.
    package init?(authorization header: String) {
        let parts = header.utf8.split(separator: UInt8(ascii: " "), maxSplits: 1)
        guard parts.count == 2, Substring(parts[0]).lowercased() == "basic" else { return nil }
        let encoded = String(Substring(parts[1])).trimmingSpaces
        // The decoder is lenient with the bits of the last digit that mean nothing; one form alone is right.
        guard let data = Data(base64Encoded: encoded), data.base64EncodedString() == encoded,
            let text = String(validating: data, as: UTF8.self),
            // In UTF-8, for as a character the colon would hide behind an accent that follows it.
            let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        user = String(text[..<colon])
        password = String(text[text.utf8.index(after: colon)...])
        if user.isEmpty, password.isEmpty { return nil }
    }
}

extension String {
    /// Without the spaces at its ends.
    fileprivate var trimmingSpaces: String {
        let space = UInt8(ascii: " ")
        guard let last = utf8.lastIndex(where: { $0 != space }) else { return "" }
        return String(Substring(utf8[...last].drop { $0 == space }))
    }
}
