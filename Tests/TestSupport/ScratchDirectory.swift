import Foundation

/// A directory of its own for one test, removed with everything in it when the value goes.
package final class ScratchDirectory: Sendable {
    /// The directory's absolute path.
    package let path: String

    /// Makes the directory in memory, where the system has a roomy place for that, or below its temporary directory.
    ///
    /// What tests write is soon gone, and those who keep it sync it a thousand times: on a busy disk each time may take as
    /// long as a test waits for an answer.
    ///
    /// - Parameter inMemory: whether it may be in memory: not what is large, or about the disk.
    /// - Throws: a ``SystemError`` when it cannot be made.
    package init(inMemory: Bool = true) throws {
        let temporary = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        let base = inMemory && Self.hasMemory ? Self.memory : temporary
        var template = Array("\(base)/drayage-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("making a scratch directory in \(base)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static let memory = "/dev/shm"
    private static let hasMemory: Bool = {
        var status = statvfs()
        // Containers have 64 MiB there, unless they are told otherwise.
        return statvfs(memory, &status) == 0 && status.f_bavail * status.f_frsize >= 6 << 30
            && access(memory, W_OK) == 0
    }()

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of something in the directory.
    package func path(_ name: String) -> String { path + "/" + name }

    /// Writes a file and the directories above it, and gives its path.
    @discardableResult
    package func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        let target = path(name)
        let parent = URL(fileURLWithPath: target).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: target))
        return target
    }

    /// Writes a text file and gives its path.
    @discardableResult
    package func write(_ text: String, to name: String) throws -> String { try write(text.utf8, to: name) }

    /// The bytes of a file.
    package func read(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    /// Whether something of that name is there.
    package func contains(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// The names directly within the directory, sorted: what a test looks at to see that nothing was left behind.
    package func names(in subdirectory: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path(subdirectory)).sorted()
    }
}

/// A system call of the test harness failed.
package struct SystemError: Error, CustomStringConvertible {
    /// What was being done.
    package let operation: String
    /// The value of `errno`.
    package let code: Int32

    /// Takes `errno` as it is now, unless a code is given.
    package init(_ operation: String, code: Int32 = errno) {
        self.operation = operation
        self.code = code
    }

    /// Operation and cause.
    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
