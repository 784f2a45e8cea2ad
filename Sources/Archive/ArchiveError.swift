import Glibc

/// A tar file or compressed data could not be read, or a tar header could not be made.
package struct ArchiveError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        /// It is no tar file; libarchive's own text.
        case notTar(reason: String)
        /// It is compressed; libarchive's name of the compression.
        case compressed(filter: String)
        /// It ends before it should: how long it would have to be at least, and how long it is, in bytes.
        case truncated(needed: Int64, byteCount: Int64)
        /// A header makes no sense; libarchive's own text.
        case damagedHeader(reason: String)
        /// An entry is stored with holes, so that its data does not lie in one piece.
        case sparseEntry
        case tooManyEntries(limit: Int)
        case pathTooLong(limit: Int)
        /// An entry's path is no text.
        case unreadablePath
        /// Compressed data is damaged; the library's own text.
        case damagedData(Compression, reason: String)
        /// Compressed data becomes far more than it is.
        case expandsTooFar(limit: Int64)
        /// libarchive refused an operation; its own text.
        case library(operation: String, reason: String)
        /// The system refused an operation; the value of `errno`.
        case system(operation: String, errno: Int32)
    }

    /// What is wrong.
    package let code: Code
    /// The archive's path on disk; nil for a header that is made in memory.
    package let path: String?
    /// The path of the entry that is concerned.
    package let entry: String?

    init(_ code: Code, path: String?, entry: String? = nil) {
        self.code = code
        self.path = path
        self.entry = entry
    }

    /// Whether it is what it should be, and damaged.
    package var isDamage: Bool {
        switch code {
        case .truncated, .damagedHeader, .damagedData, .expandsTooFar: true
        default: false
        }
    }

    /// Operation, subject, cause, and what to do next; with the text of outside paths as it is.
    package var description: String {
        let operation = path.map { "reading " + $0 } ?? "making a tar header"
        let subject = entry.map { ": entry \($0)" } ?? ""
        return "\(operation)\(subject): \(cause)"
    }

    /// The cause alone; who throws it on adds the subject.
    package var cause: String {
        switch code {
        case .notTar(let reason): "it is no tar file (\(reason))"
        case .compressed(let filter): "it is compressed with \(filter); decompress it first: \(decompression(filter))"
        case .truncated(let needed, let count):
            "it is truncated: it has \(count) bytes and must have at least \(needed)"
        case .damagedHeader(let reason): "a header is damaged (\(reason))"
        case .sparseEntry: "it is stored sparse; pack the archive again without sparse files"
        case .tooManyEntries(let limit): "it has more than \(limit) entries"
        case .pathTooLong(let limit): "the path is longer than \(limit) bytes"
        case .unreadablePath: "an entry's path is neither ASCII nor UTF-8"
        case .damagedData(let compression, let reason): "it does not decompress with \(compression) (\(reason))"
        case .expandsTooFar(let limit):
            "it decompresses to more than \(limit) bytes, which is \(Decompression.limitText)"
        case .library(let operation, let reason): "\(operation): \(reason)"
        case .system(let operation, let errno): "\(operation): \(errorText(errno))"
        }
    }

    private func decompression(_ filter: String) -> String {
        let file = path ?? "FILE"
        return switch filter {
        case "gzip": "gunzip \(file)"
        case "xz": "unxz \(file)"
        default: "\(filter) -d \(file)"
        }
    }
}

/// The system's text for a value of `errno`.
func errorText(_ code: Int32) -> String { unsafe String(cString: strerror(code)).lowercased() }
