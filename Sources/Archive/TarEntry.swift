/// An entry of a tar file, and where its data lies.
package struct TarEntry: Hashable, Sendable {
    /// What an entry is.
    package enum Kind: Hashable, Sendable {
        case regular
        case directory
        /// Another name for an entry, told by its path from the archive's root.
        case hardLink(target: String)
        /// Another name for an entry, told by its path from the directory of the link; empty where nothing is told.
        case symbolicLink(target: String)
        /// Anything else: a device, a pipe or a socket.
        case special
    }

    /// The path as the archive has it, as the target of a link is: nothing is checked, nothing is normalised.
    package let path: String
    /// What it is.
    package let kind: Kind
    /// Where its data begins, in bytes from the beginning of the file.
    package let offset: Int64
    /// The size of its data; 0 for whatever is no regular file.
    package let byteCount: Int64
}
