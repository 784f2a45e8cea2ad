import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RegistryServer

/// Passwords, against files that Apache's `htpasswd` made.
@Suite struct HtpasswdTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private final class Counter: Sendable {
        private let count = Atomic(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add() { count.add(1, ordering: .relaxed) }
    }

    private func write(_ text: String) throws -> String { try scratch.write(text, to: "htpasswd") }

    @Test(arguments: [4, 5, 10])
    func `the password that was set is right, and no other`(cost: Int) throws {
        let users = try Htpasswd(
            path: write(try passwordLine("alice", "secret", cost: cost) + "\n" + passwordLine("bob", "", cost: 4))
        )
        for _ in 0..<2 {
            #expect(users.verify(user: "alice", password: "secret"))
            #expect(users.verify(user: "bob", password: ""))
            for wrong in ["Secret", "secret ", "secre", "", "secret\0", "\0"] {
                #expect(!users.verify(user: "alice", password: wrong))
            }
            for stranger in ["Alice", "alice ", "", "alice:", "bobb", "carol"] {
                #expect(!users.verify(user: stranger, password: "secret"))
            }
        }
    }

    @Test func `all three prefixes of bcrypt are the same hash`() throws {
        let line = try passwordLine("alice", "secret")
        for prefix in ["$2y$", "$2a$", "$2b$"] {
            let users = try Htpasswd(path: write(line.replacing("$2y$", with: prefix)))
            #expect(users.verify(user: "alice", password: "secret"))
            #expect(!users.verify(user: "alice", password: "secret!"))
        }
    }

    @Test func `bits of the salt that mean nothing are ignored`() throws {
        // Some programs set them. `htpasswd` clears them, so the last digit of the salt is one of four.
        var line = Array(try passwordLine("a", "secret").utf8)
        let digits = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let last = 2 + 28
        let value = try #require(digits.firstIndex(of: line[last]))
        #expect(value % 16 == 0)
        line[last] = digits[value + 5]
        let users = try Htpasswd(path: write(String(decoding: line, as: UTF8.self)))
        #expect(users.verify(user: "a", password: "secret"))
        #expect(!users.verify(user: "a", password: "other"))
    }

    @Test func `comments, blank lines and the line ends of other systems are nothing`() throws {
        let (alice, bob) = (try passwordLine("alice", "one"), try passwordLine("bob", "two"))
        let users = try Htpasswd(path: write("# staff\r\n\r\n  \(alice)\r\n\n\t# \(alice)\n\(bob) \t"))
        #expect(users.verify(user: "alice", password: "one"))
        #expect(users.verify(user: "bob", password: "two"))
    }

    @Test func `names are compared by their bytes`() throws {
        let names = ["\u{e9}mile", "e\u{301}mile"]
        let lines = try names.map { try passwordLine($0, "of " + $0) }
        let users = try Htpasswd(path: write(lines.joined(separator: "\n")))
        for (name, other) in [(names[0], names[1]), (names[1], names[0])] {
            #expect(users.verify(user: name, password: "of " + name))
            #expect(!users.verify(user: name, password: "of " + other))
        }
    }

    @Test func `of a long password 72 bytes count, and beyond 511 it is nobody's`() throws {
        let password = String(repeating: "a", count: 72)
        let users = try Htpasswd(path: write(try passwordLine("alice", password)))
        for (length, isRight) in [(71, false), (72, true), (73, true), (511, true), (512, false), (100_000, false)] {
            let given = String(repeating: "a", count: length)
            #expect(users.verify(user: "alice", password: given) == isRight, "\(length)")
        }
    }

    @Test func `an unknown user costs what the dearest known one does`() throws {
        let file = try HtpasswdFile(
            path: write(try passwordLine("alice", "secret", cost: 11) + "\n" + passwordLine("bob", "secret", cost: 4))
        )
        #expect(file.nobody.cost == 11)
        #expect(!file.nobody.matches("secret"))
    }

    /// While nothing is hashed, only a password that was right before is answered.
    @Test func `an unknown user is answered by a hash, and a password that was right once by none`() async throws {
        let users = try Htpasswd(path: write(try passwordLine("alice", "secret")))
        #expect(await users.verify(user: "alice", password: "secret"))
        let (asked, answered) = (Counter(), Counter())
        for lane in users.lanes { lane.suspend() }
        await withTaskGroup(of: Void.self) { group in
            for user in ["alice", "nobody"] {
                group.addTask {
                    asked.add()
                    #expect(await !users.verify(user: user, password: "wrong"))
                    answered.add()
                }
            }
            while asked.value < 2 { await Task.yield() }
            let verify: (String, String) -> Bool = users.verify(user:password:)
            for _ in 0..<1000 {
                #expect(verify("alice", "secret"))
                #expect(await users.verify(user: "alice", password: "secret"))
            }
            #expect(answered.value == 0)
            for lane in users.lanes { lane.resume() }
        }
        #expect(answered.value == 2)
    }

    @Test func `more users than are remembered are all let in`() throws {
        let hash = try passwordLine("", "secret").dropFirst()
        let names = (0..<1100).map { "user\($0)" }
        let users = try Htpasswd(path: write(names.map { "\($0):\(hash)" }.joined(separator: "\n")))
        for _ in 0..<2 {
            for name in names { #expect(users.verify(user: name, password: "secret")) }
        }
    }

    /// A password that was right once costs no bcrypt again: it would wait for its turn behind the others.
    @Test func `a flood of wrong passwords does not hold up those who were in before`() async throws {
        let users = try Htpasswd(path: write(try passwordLine("alice", "secret", cost: 12)))
        #expect(await users.verify(user: "alice", password: "secret"))
        let guesses = 24
        let answered = Counter()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<guesses {
                group.addTask {
                    #expect(await !users.verify(user: "alice", password: "guess \(number)"))
                    answered.add()
                }
            }
            for _ in 0..<100 { #expect(await users.verify(user: "alice", password: "secret")) }
            let verify: (String, String) -> Bool = users.verify(user:password:)
            for _ in 0..<100 { #expect(verify("alice", "secret")) }
            #expect(answered.value < guesses)
        }
        #expect(answered.value == guesses)
    }

    @Test func `many threads ask at once`() async throws {
        let users = try Htpasswd(
            path: write(try passwordLine("alice", "secret") + "\n" + passwordLine("bob", "other"))
        )
        DispatchQueue.concurrentPerform(iterations: 400) { number in
            #expect(users.verify(user: "alice", password: "secret"))
            #expect(
                users.verify(user: "bob", password: number.isMultiple(of: 2) ? "other" : "wrong") == (number % 2 == 0)
            )
        }
    }
}

/// A line of an htpasswd file.
func passwordLine(_ user: String, _ password: String, cost: Int = 4) throws -> String {
    // With stdin in place of an argument, an empty password is one too.
    let name = user.isEmpty ? "x" : user
    let command = Command("htpasswd", ["-niB", "-C", "\(cost)", name], input: Array(password.utf8))
    let line = try command.check().outputText.trimmingCharacters(in: .newlines)
    return user.isEmpty ? String(line.dropFirst()) : line
}
