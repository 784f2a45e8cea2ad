import Glibc
import OCI

/// A file of users and passwords that cannot be used.
///
/// Nothing of it ever says a hash.
package struct HtpasswdError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        /// The system refused something; the value of `errno`.
        case system(operation: String, errno: Int32)
        case notRegularFile
        case tooLarge(limit: Int)
        case noUsers
        /// A line without a colon, or with nothing before it.
        case noUserName
        case notUTF8
        case duplicateUser(String, firstLine: Int)
        /// Another kind of hash, or none.
        case notBcrypt(user: String)
        case malformedHash(user: String)
        case costOutOfRange(user: String, cost: Int)
    }

    /// What is wrong.
    package let code: Code
    /// The file.
    package let path: String
    /// The line that is concerned, from 1.
    package let line: Int?

    /// One line: operation, subject, cause, and what to do next.
    package var description: String {
        "reading the users of \(path.printable)\(line.map { ", line \($0)" } ?? ""): \(cause)"
    }

    private var cause: String {
        switch code {
        case .system(let operation, let errno): "\(operation): \(systemText(errno))"
        case .notRegularFile: "it is no file"
        case .tooLarge(let limit): "it has more than \(limit) bytes"
        case .noUsers: "it names nobody; add a user with htpasswd -B"
        case .noUserName: "it is not user:hash"
        case .notUTF8: "the user's name is not UTF-8"
        case .duplicateUser(let user, let line): "the user \"\(user.printableExcerpt)\" is on line \(line) already"
        case .notBcrypt(let user):
            "the password of \"\(user.printableExcerpt)\" is not hashed with bcrypt; set it again with htpasswd -B"
        case .malformedHash(let user):
            "the hash of \"\(user.printableExcerpt)\" is cut off or damaged; set the password again with htpasswd -B"
        case .costOutOfRange(let user, let cost):
            "the hash of \"\(user.printableExcerpt)\" has a cost of \(cost); accepted are "
                + "\(PasswordHash.leastCost) to \(PasswordHash.costLimit) (htpasswd -B -C)"
        }
    }
}

/// The system's text for a value of `errno`.
private func systemText(_ code: Int32) -> String { unsafe String(cString: strerror(code)).lowercased() }
