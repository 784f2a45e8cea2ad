import Foundation
import TestSupport

/// A file of one user, `me`, whose password is `secret`.
struct PasswordFile {
    private let scratch: ScratchDirectory
    var path: String { scratch.path("htpasswd") }

    /// Makes it; a higher cost makes the password slower to check.
    init(cost: Int = 4) throws {
        scratch = try ScratchDirectory()
        let line = try Command("htpasswd", ["-nbB", "-C", "\(cost)", "me", "secret"]).check().output
        try scratch.write(line, to: "htpasswd")
    }

    /// The header of a user and a password.
    static func header(_ user: String, _ password: String) -> (name: String, value: String) {
        ("Authorization", "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())")
    }
}
