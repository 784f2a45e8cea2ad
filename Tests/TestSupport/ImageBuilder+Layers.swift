import OCI

extension ImageBuilder {
    /// A layer of any bytes.
    ///
    /// - Parameters:
    ///   - bytes: the layer as it is.
    ///   - suffix: what its type ends with: `tar+gzip`, `tar+zstd`, `tar`.
    ///   - content: what it is said to hold; nil where the config says nothing.
    /// - Returns: a layer of an OCI image.
    /// - Throws: never, unless OpenSSL refuses.
    package func layer(bytes: [UInt8], _ suffix: String = "tar+gzip", content: [UInt8]?) throws -> TestBlob {
        try TestBlob(
            bytes: bytes,
            mediaType: MediaType(rawValue: "application/vnd.oci.image.layer.v1.\(suffix)"),
            diffID: try content.map { try Digest.of($0) },
            algorithm: algorithm
        )
    }

    /// A layer of zeros in gzip, of as many mebibytes, in members of sixteen: its content is never in memory as a whole.
    package func zerosLayer(mebibytes: Int) throws -> TestBlob {
        let zeros = [UInt8](repeating: 0, count: 16 << 20)
        let member = try Gzip.compress(zeros)
        let count = mebibytes / 16
        let bytes = [[UInt8]](repeating: member, count: count).flatMap(\.self)
        let hasher = DigestHasher(algorithm: .sha256)
        for _ in 0..<count { zeros.withUnsafeBytes { hasher.update($0) } }
        return try TestBlob(bytes: bytes, mediaType: family.layer, diffID: try hasher.finish(), algorithm: algorithm)
    }
}
