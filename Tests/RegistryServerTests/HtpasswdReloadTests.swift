import Foundation
import Synchronization
import TestSupport
import Testing

@testable import RegistryServer

/// A file of users that changes, or disappears, while it is in use.
@Suite struct HtpasswdReloadTests {
    private let scratch: ScratchDirectory
    private let path: String
    private let reports = Reports()

    private final class Reports: Sendable {
        private let errors = Mutex<[HtpasswdError]>([])
        func add(_ error: HtpasswdError) { errors.withLock { $0.append(error) } }
        var all: [HtpasswdError] { errors.withLock { $0 } }
    }

    init() throws {
        scratch = try ScratchDirectory()
        path = scratch.path("htpasswd")
    }

    private func open(_ lines: String...) throws -> Htpasswd {
        try write(lines.joined(separator: "\n"))
        return try Htpasswd(path: path) { [reports] in reports.add($0) }
    }

    private func write(_ text: String) throws { try scratch.write(text, to: "htpasswd") }

    @Test func `a change is in force with the next question`() throws {
        let bob = try passwordLine("bob", "of bob")
        let users = try open(try passwordLine("alice", "old"), bob)
        #expect(users.verify(user: "alice", password: "old"))
        #expect(users.verify(user: "bob", password: "of bob"))
        try write(try passwordLine("alice", "new") + "\n" + passwordLine("carol", "of carol"))
        #expect(!users.verify(user: "alice", password: "old"))
        #expect(users.verify(user: "alice", password: "new"))
        #expect(!users.verify(user: "bob", password: "of bob"))
        #expect(users.verify(user: "carol", password: "of carol"))
        try write(bob)
        #expect(users.verify(user: "bob", password: "of bob"))
        #expect(!users.verify(user: "alice", password: "new"))
        #expect(reports.all == [])
    }

    @Test func `changes of one length within one tick of the clock are seen`() throws {
        let lines = try (0..<2).map { try passwordLine("alice", "password \($0)") }
        let users = try open(lines[0])
        for round in 0..<200 {
            try write(lines[round % 2])
            #expect(users.verify(user: "alice", password: "password \(round % 2)"))
            #expect(!users.verify(user: "alice", password: "password \(1 - round % 2)"))
        }
    }

    @Test func `a file that was changed just now is read again whatever its times say`() throws {
        try write("alice")
        #expect(FileStamp(path: path)?.isSettled == false)
        #expect(FileStamp(path: "/bin/sh")?.isSettled == true)
        #expect(FileStamp(path: scratch.path("missing")) == nil)
    }

    @Test func `a file that is put in its place is read`() throws {
        let users = try open(try passwordLine("alice", "old"))
        let new = try scratch.write(try passwordLine("alice", "new"), to: "new")
        #expect(rename(new, path) == 0)
        #expect(users.verify(user: "alice", password: "new"))
        // As a mounted secret has it: a link to another file.
        try scratch.write(try passwordLine("alice", "linked"), to: "secret")
        #expect(unlink(path) == 0 && symlink("secret", path) == 0)
        #expect(users.verify(user: "alice", password: "linked"))
    }

    /// What the file becomes, and why it is not taken over.
    @Test(arguments: [
        ("", HtpasswdError.Code.noUsers),
        ("alice:$2y$04$cutoff", .malformedHash(user: "alice")),
        ("bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", .notBcrypt(user: "bob")),
    ])
    func `what is wrong is told once, and what was before stays in force`(text: String, code: HtpasswdError.Code) throws
    {
        let users = try open(try passwordLine("alice", "secret"), try passwordLine("bob", "other"))
        try write(text)
        for _ in 0..<3 {
            #expect(users.verify(user: "alice", password: "secret"))
            #expect(users.verify(user: "bob", password: "other"))
            #expect(!users.verify(user: "bob", password: "secret"))
        }
        #expect(reports.all.map(\.code) == [code])
        try write(try passwordLine("alice", "better"))
        #expect(users.verify(user: "alice", password: "better"))
        #expect(!users.verify(user: "alice", password: "secret"))
        // The same fault once more is news again.
        try write(text)
        #expect(users.verify(user: "alice", password: "better"))
        #expect(reports.all.map(\.code) == [code, code])
    }

    @Test func `a file that is gone is told once, and read when it is back`() throws {
        let users = try open(try passwordLine("alice", "secret"))
        #expect(unlink(path) == 0)
        for _ in 0..<3 { #expect(users.verify(user: "alice", password: "secret")) }
        let errors = reports.all
        #expect(errors.map(\.code) == [.system(operation: "opening it", errno: ENOENT)])
        #expect(
            errors.map(\.description) == ["reading the users of \(path): opening it: no such file or directory"]
        )
        try write(try passwordLine("alice", "new"))
        #expect(users.verify(user: "alice", password: "new"))
        #expect(reports.all.count == 1)
    }

    @Test func `many threads ask while the file changes all the time`() throws {
        let lines = try (0..<2).map { try passwordLine("alice", "password \($0)") }
        let bob = try passwordLine("bob", "constant")
        let users = try open(lines[0], bob)
        let replaced = try (0..<2).map { try scratch.write(lines[$0] + "\n" + bob, to: "new\($0)") }
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for round in 0..<60 {
                if thread == 0 {
                    let copy = scratch.path("copy")
                    #expect(
                        (try? Data(contentsOf: URL(fileURLWithPath: replaced[round % 2])).write(
                            to: URL(fileURLWithPath: copy)
                        )) != nil
                    )
                    #expect(rename(copy, path) == 0)
                }
                #expect(users.verify(user: "bob", password: "constant"))
                _ = users.verify(user: "alice", password: "password 0")
                #expect(!users.verify(user: "alice", password: "password 2"))
            }
        }
        #expect(reports.all == [])
    }
}
