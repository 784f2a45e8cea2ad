package import OCI

extension LayoutReader {
    /// The configs and layers that the images need, for each of these.
    ///
    /// Only those that are there in their size: the others are among the ``problems``.
    private var neededBlobs: some Sequence<Descriptor> {
        documents.values.lazy.flatMap { $0.blobs + $0.foreignLayers }
            .filter { self.byteCount(of: $0.digest) == $0.size }
    }

    /// How many configs and layers the images need, and the bytes that these have together, each counted once.
    ///
    /// Only those that are there in their size.
    package var blobTotals: (count: Int, byteCount: Int64) {
        var seen = Set<Digest>(minimumCapacity: places.digests.count)
        var byteCount: Int64 = 0
        for blob in neededBlobs where seen.insert(blob.digest).inserted { byteCount += blob.size }
        return (seen.count, byteCount)
    }

    /// The configs and layers that the images need, each once, in the order of the file; of a directory in that of their
    /// digests.
    package var blobs: [Descriptor] {
        let found = Dictionary(neededBlobs.map { ($0.digest, $0) }) { _, last in last }
        return found.keys.map { (place: range(of: $0)?.lowerBound ?? 0, digest: $0) }
            .sorted { ($0.place, $0.digest) < ($1.place, $1.digest) }
            .compactMap { found[$0.digest] }
    }

    /// The blobs in the file that nothing refers to, in the order of their digests.
    package var strayBlobs: [Descriptor] {
        var needed = Set(documents.keys)
        for document in documents.values {
            for descriptor in document.children + document.blobs + document.foreignLayers {
                needed.insert(descriptor.digest)
            }
        }
        for top in images.map(\.descriptor) + unnamed { needed.insert(top.digest) }
        return places.digests.filter { !needed.contains($0) }.sorted().compactMap { digest in
            byteCount(of: digest).map { count in
                Descriptor(mediaType: MediaType(rawValue: "application/octet-stream"), digest: digest, size: count)
            }
        }
    }

    /// The names of the images that need some content, in the order of the index; the digest of one without a name.
    ///
    /// - Throws: ``LayoutError`` with `tooManyParts`.
    package func images(needing content: Set<Digest>) throws(LayoutError) -> [Digest: [String]] {
        let tops = images.map(\.descriptor) + unnamed
        let users = try LayoutUsers(of: content, tops: tops, documents: documents, in: file, partLimit: partLimit)
        return content.reduce(into: [:]) { $0[$1] = users.names($1) }
    }

    /// Reads a blob and compares its size and its digest.
    ///
    /// It reads up to 1 MiB at a time and writes nothing.
    ///
    /// - Parameters:
    ///   - blob: what a manifest says of it.
    ///   - advanced: hears of each piece that was read; what it throws ends the verification.
    /// - Throws: what `advanced` throws, or ``LayoutError`` with `missing`, `wrongSize` or `wrongDigest`, or with the
    ///   system's reason.
    package func verify(_ blob: Descriptor, advanced: (_ byteCount: Int64) throws -> Void = { _ in }) throws {
        let location = try wholeLocation(of: blob)
        let hasher = DigestHasher(algorithm: blob.digest.algorithm)
        try location.file.digest(location.range, into: hasher, advanced: advanced)
        let actual = try file.finish(hasher)
        guard actual == blob.digest else {
            throw file.error(.wrongDigest(expected: blob.digest, actual: actual))
        }
    }

    /// Opens a blob that is there in its size.
    func wholeLocation(of blob: Descriptor) throws(LayoutError) -> BlobLocation {
        guard let location = try location(of: blob.digest) else { throw file.error(.missing(blob.digest)) }
        let size = Int64(location.range.count)
        guard size == blob.size else {
            throw file.error(.wrongSize(blob.digest, expected: blob.size, actual: size))
        }
        return location
    }
}
