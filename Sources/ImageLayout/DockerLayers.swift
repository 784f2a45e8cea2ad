import Archive
import OCI

/// Tells the digests of the layers of an archive; it reads as little of them as it can, and nothing twice.
struct DockerLayers {
    private let file: OpenFile
    private var compressions: [Int64: Compression?] = [:]
    private var digests: [Range<Int64>: Digest] = [:]

    init(in file: OpenFile) { self.file = file }

    /// Describes a layer of which a config says what it holds.
    ///
    /// What is not compressed has the digest that the config says; what is compressed has the one that its name says.
    /// Neither is read for it: whoever moves or verifies the layer finds out whether it is true. Only a compressed layer
    /// without such a name is read.
    ///
    /// - Parameters:
    ///   - layer: the layer.
    ///   - diffID: the digest of its content.
    /// - Returns: its type, digest and size.
    /// - Throws: ``LayoutError`` with `unsupportedCompression`, or where the file cannot be read.
    mutating func descriptor(of layer: DockerEntries.File, diffID: Digest) throws(LayoutError) -> Descriptor {
        guard let compression = try compression(of: layer) else { return Self.descriptor(layer, nil, diffID) }
        // A name that says the digest of the content, as some programs give it, says nothing of the compressed bytes.
        if let claim = Self.digest(inName: layer.path), claim != diffID {
            return Self.descriptor(layer, compression, claim)
        }
        return Self.descriptor(layer, compression, try digest(of: layer))
    }

    /// Describes a layer of which nothing is said, as they were before Docker 1.10: it is read for its digest.
    ///
    /// - Throws: ``LayoutError`` with `unsupportedCompression`, also for those that are known elsewhere.
    mutating func plainDescriptor(of layer: DockerEntries.File) throws(LayoutError) -> Descriptor {
        if let compression = try compression(of: layer) {
            throw file.error(.unsupportedCompression(compression.rawValue), entry: layer.path)
        }
        return Self.descriptor(layer, nil, try digest(of: layer))
    }

    private static func descriptor(
        _ layer: DockerEntries.File,
        _ compression: Compression?,
        _ digest: Digest
    ) -> Descriptor {
        let suffix = compression.map { "+\($0)" } ?? ""
        let type = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar\(suffix)")
        return Descriptor(mediaType: type, digest: digest, size: Int64(layer.range.count))
    }

    private mutating func digest(of layer: DockerEntries.File) throws(LayoutError) -> Digest {
        if let known = digests[layer.range] { return known }
        let hasher = DigestHasher(algorithm: .sha256)
        try file.digest(layer.range, into: hasher)
        let digest = try file.finish(hasher)
        digests[layer.range] = digest
        return digest
    }

    /// The digest that a file's name is, in full: `<hex>.tar.gz` or `blobs/sha256/<hex>`.
    ///
    /// What `<hex>.tar` says is the digest of the content, as the config does.
    private static func digest(inName path: String) -> Digest? {
        if let blob = LayoutPath.digest(ofBlob: path) { return blob }
        guard let name = path.split(separator: "/").last,
            let suffix = [".tar.gz", ".tgz", ".tar.zst", ".tar.zstd"].first(where: name.hasSuffix)
        else { return nil }
        return try? Digest(parsing: "sha256:\(name.dropLast(suffix.count))")
    }

    // MARK: - Compression

    private mutating func compression(of layer: DockerEntries.File) throws(LayoutError) -> Compression? {
        let start = layer.range.lowerBound
        if let known = compressions[start] { return known }
        let beginning = try file.bytes(in: start..<min(start + Int64(Self.magicLength), layer.range.upperBound))
        if let name = Self.unsupportedCompression(beginning) {
            throw file.error(.unsupportedCompression(name), entry: layer.path)
        }
        let compression = Compression(beginning: beginning)
        compressions[start] = .some(compression)
        return compression
    }

    /// The most bytes that it takes to tell a compression.
    private static let magicLength = 10

    /// Names a compression that Docker reads, and that no layer of an OCI image may have.
    private static func unsupportedCompression(_ beginning: [UInt8]) -> String? {
        if beginning.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) { return "xz" }
        // The name of a tar's first file may begin as bzip2 does: so it takes what begins its first block, or its end.
        guard beginning.count == magicLength, beginning.starts(with: "BZh".utf8) else { return nil }
        let marks: [[UInt8]] = [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]]
        return marks.contains(Array(beginning[4...])) ? "bzip2" : nil
    }
}
