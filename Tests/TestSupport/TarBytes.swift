/// Tar archives as a layer has them, made by hand so that the tests do not lean on the code they test.
package enum TarBytes {
    /// A regular file within an archive.
    package struct File: Sendable {
        /// Its path.
        package var path: String
        /// Its content.
        package var bytes: [UInt8]

        /// Describes a file.
        package init(_ path: String, _ bytes: [UInt8]) {
            self.path = path
            self.bytes = bytes
        }
    }

    static let blockSize = 512

    /// An archive of regular files, with its end.
    package static func archive(_ files: [File]) -> [UInt8] {
        var result: [UInt8] = []
        for file in files {
            result += header(path: file.path, byteCount: Int64(file.bytes.count))
            result += file.bytes
            result += [UInt8](repeating: 0, count: padding(after: file.bytes.count))
        }
        return result + end
    }

    /// The two empty blocks at the end of an archive.
    package static let end = [UInt8](repeating: 0, count: 2 * blockSize)

    /// How many zeros follow an entry's data.
    package static func padding(after count: Int) -> Int { (blockSize - count % blockSize) % blockSize }

    /// The header of one entry: ustar, mode 0644, owned by 0:0, time 0.
    package static func header(path: String, byteCount: Int64, type: Character = "0", link: String = "") -> [UInt8] {
        var header = [UInt8](repeating: 0, count: blockSize)
        func set(_ offset: Int, _ text: String) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int64, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        set(0, String(path.prefix(100)))
        set(100, octal(0o644, 7))
        set(108, octal(0, 7))
        set(116, octal(0, 7))
        set(124, octal(byteCount, 11))
        set(136, octal(0, 11))
        set(148, "        ")
        set(156, String(type))
        set(157, String(link.prefix(100)))
        set(257, "ustar\u{0}00")
        let sum = header.reduce(Int64(0)) { $0 + Int64($1) }
        set(148, octal(sum, 6) + "\u{0} ")
        return header
    }
}
