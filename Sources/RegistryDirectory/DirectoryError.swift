import Glibc
package import OCI

/// A registry's directory could not be opened, read or changed, or what it holds is damaged.
package struct DirectoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    package enum Operation: String, Hashable, Sendable {
        case opening
        case reading
        case writing
        case removing
    }

    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        // Opening.
        case notDirectory
        /// It holds something, and no registry.
        case notRegistry
        /// It holds an OCI image layout.
        case imageLayout
        /// It is a directory within a registry; the registry's own is the one to open.
        case withinRegistry(root: String)
        /// Another registry server or another run has it open.
        case inUse

        // Changing.
        /// It was opened for reading only.
        case readOnly
        /// A later request has taken the upload session over.
        case superseded
        /// The upload session is being stored, or hashed anew after a restart.
        case busy
        /// The upload session was committed, cancelled or removed.
        case uploadEnded
        /// What was sent is not what it was said to be.
        case wrongDigest(expected: Digest, actual: Digest)
        /// The disk, or a quota on it, is full.
        case noSpace(operation: String)
        /// A part of the directory is on another file system, so that nothing can be renamed into it.
        case otherFileSystem(target: String)

        /// A symbolic link is on the way to it: what is removed there may be missing elsewhere.
        case symbolicLink

        // Damage.
        /// A file under a digest that is not its own.
        case damaged(expected: Digest, actual: Digest)

        // All.
        case tooLarge(byteCount: Int64, limit: Int)
        /// The file became shorter while it was read.
        case endsEarly(at: Int64)
        /// The system refused something; the value of `errno`.
        case system(operation: String, errno: Int32)
        /// OpenSSL refused a digest; its own text.
        case digest(reason: String)
    }

    /// What is wrong.
    package let code: Code
    /// What was being done.
    package let operation: Operation
    /// The file or the directory that is concerned.
    package let path: String

    init(_ code: Code, _ operation: Operation, path: String) {
        self.code = code
        self.operation = operation
        self.path = path
    }
}

extension DirectoryError {
    /// One line: operation, subject, cause, and what to do next.
    package var description: String { "\(operation.rawValue) \(path.printable): \(cause)" }

    /// What is wrong, without where.
    var cause: String { openingCause ?? changingCause ?? failure }

    /// Whether it is for want of space.
    var isOfSpace: Bool { if case .noSpace = code { true } else { false } }

    private var openingCause: String? {
        switch code {
        case .notDirectory: "it is no directory"
        case .notRegistry:
            "it is not empty, and holds no registry (there is no docker/registry/v2); name an empty directory"
        case .imageLayout:
            "it is an image layout in a directory, and no registry; put it into a bundle, or name another directory"
        case .withinRegistry(let root):
            "it is a part of a registry; name the registry's own directory, \(root.printable)"
        case .inUse: "it is in use by another drayage, which has to end first"
        default: nil
        }
    }

    private var changingCause: String? {
        switch code {
        case .readOnly: "the registry is open for reading only"
        case .superseded: "another request has taken this upload over"
        case .busy: "this upload is being stored"
        case .uploadEnded: "this upload has ended"
        case .wrongDigest(let expected, let actual): "what was sent as \(expected) is \(actual)"
        case .noSpace(let step): prefix(step) + "no space left"
        case .otherFileSystem(let target):
            "\(target.printable) is on another file system; both must be on one, or be joined by a bind mount of one"
        case .symbolicLink:
            "it is, or is reached through, a symbolic link; what is removed there may be missing elsewhere"
        default: nil
        }
    }

    /// The step that failed, where it is not all that was being done.
    private func prefix(_ step: String) -> String { step == operation.rawValue ? "" : step + ": " }

    private var failure: String {
        switch code {
        case .damaged(let expected, let actual): "it is damaged: what should be \(expected) is \(actual)"
        case .tooLarge(let count, let limit): "it has \(count) bytes; at most \(limit) are accepted"
        case .endsEarly(let offset): "it ended at byte \(offset) while it was being read"
        case .system(let step, let errno): prefix(step) + (unsafe String(cString: strerror(errno)).lowercased())
        case .digest(let reason): reason.printable
        default: "\(code)".printable
        }
    }
}

extension DirectoryError {
    /// What `errno` says now.
    ///
    /// - Parameters:
    ///   - step: which step of the operation failed.
    ///   - operation: what was being done.
    ///   - path: the file or the directory.
    ///   - errno: the value, where it is not the current one.
    init(_ step: String, _ operation: Operation, path: String, errno: Int32 = errno) {
        let isFull = errno == ENOSPC || errno == EDQUOT
        self.init(isFull ? .noSpace(operation: step) : .system(operation: step, errno: errno), operation, path: path)
    }

    /// What OpenSSL says.
    init(_ error: DigestHasherError, _ operation: Operation, path: String) {
        self.init(.digest(reason: error.description), operation, path: path)
    }
}
