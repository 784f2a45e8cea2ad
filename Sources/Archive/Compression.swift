/// A compression that is told by its bytes.
package enum Compression: String, Hashable, Sendable, CustomStringConvertible {
    case gzip
    case zstd
    case xz

    /// The most bytes that it takes to tell.
    package static let magicLength = 6

    /// The name.
    package var description: String { rawValue }

    /// Tells by the first bytes; nil where they are of none of them.
    package init?(beginning bytes: [UInt8]) {
        if bytes.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            self = .zstd
        } else if bytes.count >= 4, bytes[0] & 0xf0 == 0x50, bytes[1...].starts(with: [0x2a, 0x4d, 0x18]) {
            // A frame to be skipped: some compressors begin with one.
            self = .zstd
        } else if bytes.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) {
            self = .xz
        } else {
            return nil
        }
    }
}
