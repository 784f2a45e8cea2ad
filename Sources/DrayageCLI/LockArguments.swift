import ArgumentParser
import Drayage
import FoundationEssentials

/// What a bundle is made of, in a file.
struct LockArguments: ParsableArguments {
    @Option(
        name: .customLong("lock"),
        help: ArgumentHelp(
            "Write to this file what each reference means, and what belongs to it; with --dry-run too.",
            valueName: "file"
        ),
        completion: .file()
    )
    var file: String?

    @Flag(
        name: .customLong("locked"),
        help: "Bundle exactly what --lock says, whatever tags mean today: the same file gives the same bundle."
    )
    var isLocked = false

    func validate() throws {
        guard file != nil || !isLocked else { throw ValidationError("--locked needs the file: --lock FILE") }
        guard file != "", file != "-" else { throw ValidationError("--lock takes the name of a file") }
    }

    /// The lock that a bundle is to follow; nil where there is none.
    func read() throws -> BundleLock? {
        guard isLocked, let file else { return nil }
        do {
            return try BundleLock(try Input.read(file: file, limit: Input.planLimit), path: file)
        } catch let error as Input.ReadError {
            throw LockFileError(operation: "reading", path: file, reason: "\(error)")
        }
    }

    /// Refuses a file that cannot be written at the end, or is something else: better before anything is fetched.
    func checkFile() throws {
        guard !isLocked, let file else { return }
        guard FileManager.default.fileExists(atPath: file) else {
            let folder = URL(filePath: file).deletingLastPathComponent().path
            guard FileManager.default.isWritableFile(atPath: folder) else {
                throw LockFileError(operation: "writing", path: file, reason: "no file can be made in its directory")
            }
            return
        }
        do {
            _ = try BundleLock(try Input.read(file: file, limit: Input.planLimit), path: file)
        } catch {
            throw LockFileError(operation: "replacing", path: file, reason: "\(error); remove it, or name another file")
        }
    }

    /// Writes down what a run has made, where nothing is missing of it.
    func write(_ report: inout Report, options: Synchronizer.Options) throws {
        guard !isLocked, let file, report.outcome != .failed else { return }
        guard report.outcome == .done else {
            return report.notes.append("\(file.printable) is not written: it would lack what failed")
        }
        // The bundle itself may be what has that name by now.
        try checkFile()
        do {
            try JSONText.encode(BundleLock(report, options: options)).write(to: URL(filePath: file), options: .atomic)
        } catch {
            throw LockFileError(operation: "writing", path: file, reason: "\(error)")
        }
    }
}

/// A lock that cannot be read or written.
struct LockFileError: Error, CustomStringConvertible {
    let operation: String
    let path: String
    let reason: String

    var description: String { "\(operation) the lock \(path): \(reason)".printable }
}
