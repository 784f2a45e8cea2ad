import Foundation
import RegistryServer
import Testing

@Suite struct BasicCredentialsTests {
    private func header(_ text: String, scheme: String = "Basic ") -> String {
        scheme + Data(text.utf8).base64EncodedString()
    }

    /// What is encoded, the user and the password.
    @Test(arguments: [
        ("alice:secret", "alice", "secret"),
        // The first colon ends the name, the others are the password's.
        ("alice:a:b:", "alice", "a:b:"),
        ("alice:", "alice", ""),
        (":secret", "", "secret"),
        ("jürgen:pässword €", "jürgen", "pässword €"),
        // An accent after the colon makes one character of both.
        ("alice:\u{301}secret", "alice", "\u{301}secret"),
        (" alice : secret ", " alice ", " secret "),
        ("alice:\r\n", "alice", "\r\n"),
        ("alice:a\0b", "alice", "a\0b"),
    ])
    func `a name and a password are read`(text: String, user: String, password: String) throws {
        let credentials = try #require(BasicCredentials(authorization: header(text)))
        #expect(Array(credentials.user.utf8) == Array(user.utf8))
        #expect(Array(credentials.password.utf8) == Array(password.utf8))
    }

    @Test(arguments: ["basic ", "BASIC ", "bAsIc ", "Basic   ", " Basic "])
    func `the scheme has no case, and spaces before the value do not matter`(scheme: String) {
        #expect(BasicCredentials(authorization: header("a:b", scheme: scheme))?.user == "a")
        #expect(BasicCredentials(authorization: header("a:b", scheme: scheme) + "  ")?.password == "b")
    }

    @Test func `an empty name with an empty password is nobody's`() {
        #expect(BasicCredentials(authorization: "Basic Og==") == nil)
    }

    /// Headers that have no name and no password.
    @Test(arguments: [
        "", "Basic", "Basic ", "Basic  ", "YTpi", "Bearer YTpi", "Basically YTpi", "Basic\tYTpi",
        // No colon.
        "Basic YWI=", "Basic !",
        // No padding, too much of it, some in the middle, and bits beyond the last byte.
        "Basic YTpiYw", "Basic YTpi====", "Basic YT=pi", "Basic YTpiY3=", "Basic YTpiY===", "Basic YTpiYx==",
        // Another alphabet, white space, other letters.
        "Basic YTpi-_-_", "Basic YT pi", "Basic YTpi\n", "Basic YTpí", "Basic YTpi,YTpi",
        // FF 3A: not UTF-8. ED A0 80 3A: half of a pair. C0 BA: a colon in too many bytes.
        "Basic /zo=", "Basic 7aCAOg==", "Basic YcC6Yg==",
    ])
    func `what is malformed is nothing`(header: String) {
        #expect(BasicCredentials(authorization: header) == nil)
    }
}
