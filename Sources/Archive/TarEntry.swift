/// An entry of a tar file, and where its data lies.
package struct TarEntry: Hashable, Sendable {
    /// What an entry is.
    package enum Kind: Hashable, Sendable {
        case regular
        case directory
        /// Anything else, in words: a symbolic link, a hard link, a device, …
        case other(String)
    }

    /// The path as the archive has it: nothing is checked, nothing is normalised.
    package let path: String
    /// What it is.
    package let kind: Kind
    /// Where its data begins, in bytes from the beginning of the file.
    package let offset: Int64
    /// The size of its data; 0 for whatever is no regular file.
    package let byteCount: Int64
}
