/// A job that cannot be done, or was not.
public struct DrayageError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    @nonexhaustive
    public enum Code: Hashable, Sendable {
        /// The command or the call is wrong as it stands.
        case usage
        /// A list of references holds something that is none.
        case invalidList
        /// There is nothing to do.
        case emptyList
        /// Two images would get one name in the target.
        case nameCollision
        /// A tag exists with another digest, and was not to be overwritten.
        case tagExists
        /// Content that is not what its digest says, or is missing.
        case unverified
        /// Some images could not be handled; each has its own failure in the report.
        case imagesFailed
        /// Anything else.
        case other
    }

    /// The kind of failure.
    public let code: Code
    /// What was being done, on what, and why it failed.
    public let message: String
    /// What led to it.
    public let underlying: (any Error)?

    init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    /// One line for each thing that is wrong: operation, subject, cause.
    public var description: String { lines.joined(separator: "\n") }

    /// The lines of the description.
    var lines: [String] {
        let cause = underlying.map { ": \($0)" } ?? ""
        return (message + cause).split(separator: "\n").map { String($0).printable }
    }
}
