import Foundation
import RegistryServer
import TestSupport
import Testing

/// Files of users that are refused.
@Suite struct HtpasswdFaultTests {
    private let scratch: ScratchDirectory
    private static let good = "$2y$04$LvVUmvRmm0FHkQzLcQm.0OGBkwLJPLDo3ZTFZNX4BF4g0Kn5SoZxK"

    init() throws { scratch = try ScratchDirectory() }

    private func error(of bytes: some Sequence<UInt8>) throws -> HtpasswdError? {
        let path = try scratch.write(bytes, to: "htpasswd")
        return #expect(throws: HtpasswdError.self) { try Htpasswd(path: path) }
    }

    /// A line, why it is refused, and what the error says of it.
    @Test(arguments: [
        ("alice", HtpasswdError.Code.noUserName, "it is not user:hash"),
        (":\(good)", .noUserName, "it is not user:hash"),
        (
            "bob:\(good)", .duplicateUser("bob", firstLine: 2), "the user \"bob\" is on line 2 already"
        ),
        // apr1, SHA-1, SHA-256, DES, plain text, nothing, digest authentication.
        ("alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:$5$abcdefgh$ZLdkj8mkc2XVSrPVjskDAgZPGjtj1VGVaa1aUkrMTU/", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:rl.3StKT.4T8M", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:secret", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:realm:939e7578ed9e3c518a452acee763bce9", .notBcrypt(user: "alice"), notBcrypt),
        // The prefix of a broken version, and one that never was.
        ("alice:\(good.replacing("$2y$", with: "$2x$"))", .notBcrypt(user: "alice"), notBcrypt),
        ("alice:\(good.replacing("$2y$", with: "$2$"))", .notBcrypt(user: "alice"), notBcrypt),
        // Too short, too long, a wrong digit, no second dollar, a cost that is no number, more after the hash.
        ("alice:\(good.dropLast())", .malformedHash(user: "alice"), malformed),
        ("alice:\(good)a", .malformedHash(user: "alice"), malformed),
        ("alice:\(good.dropLast())+", .malformedHash(user: "alice"), malformed),
        ("alice:\(good.replacing("$04$", with: "$04."))", .malformedHash(user: "alice"), malformed),
        ("alice:\(good.replacing("$04$", with: "$4a$"))", .malformedHash(user: "alice"), malformed),
        ("alice:\(good.replacing("$04$", with: "$-4$"))", .malformedHash(user: "alice"), malformed),
        ("alice:\(good) # staff", .malformedHash(user: "alice"), malformed),
        ("alice:\(good.replacing("$04$", with: "$03$"))", .costOutOfRange(user: "alice", cost: 3), cost(3)),
        ("alice:\(good.replacing("$04$", with: "$18$"))", .costOutOfRange(user: "alice", cost: 18), cost(18)),
        ("alice:\(good.replacing("$04$", with: "$31$"))", .costOutOfRange(user: "alice", cost: 31), cost(31)),
        ("alice:\(good.replacing("$04$", with: "$99$"))", .costOutOfRange(user: "alice", cost: 99), cost(99)),
    ])
    func `a wrong line is named, and what should be done`(line: String, code: HtpasswdError.Code, cause: String) throws
    {
        let error = try #require(try error(of: "# staff\nbob:\(Self.good)\n\n\(line)\n".utf8))
        #expect(error.code == code)
        #expect(error.line == 4)
        #expect(error.description == "reading the users of \(scratch.path("htpasswd")), line 4: \(cause)")
        // Nothing of the hash is told, whatever its kind.
        let secret = line.split(separator: ":").last ?? ""
        if line.contains(":"), secret.count > 8 { #expect(!error.description.contains(secret.dropFirst(6).prefix(8))) }
    }

    private static let notBcrypt = """
        the password of "alice" is not hashed with bcrypt; set it again with htpasswd -B
        """
    private static let malformed = """
        the hash of "alice" is cut off or damaged; set the password again with htpasswd -B
        """

    private static func cost(_ cost: Int) -> String {
        "the hash of \"alice\" has a cost of \(cost); accepted are 4 to 17 (htpasswd -B -C)"
    }

    @Test func `a name must be UTF-8, and is shown without its control characters`() throws {
        let notUTF8 = try error(of: [0xff, 0x3a] + Array(Self.good.utf8))
        #expect(notUTF8?.code == .notUTF8 && notUTF8?.line == 1)
        let escape = try error(of: "\u{1b}[2J:x".utf8)
        #expect(escape?.code == .notBcrypt(user: "\u{1b}[2J"))
        #expect(escape?.description.contains("\u{1b}") == false)
    }

    @Test(arguments: ["", "\n\n", "# alice:secret\n"])
    func `a file without users would lock everybody out`(text: String) throws {
        let error = try error(of: text.utf8)
        #expect(error?.code == .noUsers)
        #expect(error?.description.hasSuffix("it names nobody; add a user with htpasswd -B") == true)
    }

    @Test func `a file of a megabyte is read, and a larger one is refused`() throws {
        let line = "alice:\(Self.good)\n"
        let filler = "#" + String(repeating: "x", count: (1 << 20) - line.utf8.count - 1)
        #expect(throws: Never.self) { try Htpasswd(path: scratch.write(line + filler, to: "htpasswd")) }
        #expect(try error(of: (line + filler + "x").utf8)?.code == .tooLarge(limit: 1 << 20))
    }

    @Test func `what is no file is refused at once`() throws {
        let missing = #expect(throws: HtpasswdError.self) { try Htpasswd(path: scratch.path("missing")) }
        #expect(missing?.code == .system(operation: "opening it", errno: ENOENT))
        let directory = #expect(throws: HtpasswdError.self) { try Htpasswd(path: scratch.path) }
        #expect(directory?.code == .notRegularFile)
        #expect(mkfifo(scratch.path("pipe"), 0o600) == 0)
        let pipe = #expect(throws: HtpasswdError.self) { try Htpasswd(path: scratch.path("pipe")) }
        #expect(pipe?.code == .notRegularFile)
    }
}
