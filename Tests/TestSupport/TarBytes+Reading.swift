extension TarBytes {
    /// An entry of an archive that was read.
    package struct Entry: Sendable {
        /// Its path.
        package let path: String
        /// Where its data is.
        package let range: Range<Int>
    }

    /// The entries of a plain ustar archive, by hand as well; those with names or sizes that ustar cannot hold are not
    /// for this.
    package static func entries(of archive: [UInt8]) -> [Entry] {
        var result: [Entry] = []
        var offset = 0
        while offset + blockSize <= archive.count, archive[offset] != 0 {
            func text(_ start: Int, _ count: Int) -> String {
                String(decoding: archive[(offset + start)...].prefix(count).prefix { $0 != 0 }, as: UTF8.self)
            }
            let prefix = text(345, 155)
            let size = Int(text(124, 12).filter(\.isNumber), radix: 8) ?? 0
            let start = offset + blockSize
            result.append(
                Entry(path: prefix.isEmpty ? text(0, 100) : "\(prefix)/\(text(0, 100))", range: start..<(start + size))
            )
            offset = start + size + padding(after: size)
        }
        return result
    }
}
