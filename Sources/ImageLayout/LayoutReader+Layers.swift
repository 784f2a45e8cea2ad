import Archive
package import OCI

/// What verifying a layer's content found.
package struct LayerFindings: Sendable {
    /// The bytes of the content: what was decompressed, where the layer is compressed.
    package let byteCount: Int64
    /// What is not as it is said.
    package let problems: [LayoutError.Code]
}

extension LayoutReader {
    /// Reads a layer once, compares its size and its digest, and what it holds with what is said of it.
    ///
    /// It writes nothing, and its memory does not depend on the layer's size: see `Decompression`.
    ///
    /// - Parameters:
    ///   - blob: what a manifest says of it.
    ///   - claims: what is said of all layers.
    ///   - advanced: hears of each piece that was read, and of no bytes for each piece that came of it; what it throws
    ///     ends the verification.
    /// - Returns: what is wrong with the content of a blob that is itself what it should be.
    /// - Throws: what ``verify(_:advanced:)`` throws.
    package func verify(
        _ blob: Descriptor,
        claims: LayerClaims,
        advanced: (_ byteCount: Int64) throws -> Void
    ) throws -> LayerFindings {
        let location = try wholeLocation(of: blob)
        let range = location.range
        let claims = claims.claims(of: blob.digest)
        let magic = range.lowerBound..<min(range.lowerBound + Int64(Compression.magicLength), range.upperBound)
        let actual = Compression(beginning: try location.file.bytes(in: magic))
        var check = LayerCheck(layer: blob.digest, claims: claims, actual: actual)
        let pieces = FilePieces(location.file, range)
        defer { withExtendedLifetime(pieces) {} }
        func next() throws -> UnsafeRawBufferPointer {
            let piece = try unsafe pieces.next()
            unsafe check.takeBytes(piece)
            if unsafe !piece.isEmpty { try advanced(Int64(piece.count)) }
            return unsafe piece
        }
        if let compression = check.compression {
            do {
                let limit = Decompression.limit(of: blob.size)
                try unsafe Decompression.run(compression, limit: limit, path: path, from: next) { piece in
                    unsafe check.takeContent(piece)
                    try advanced(0)
                }
            } catch let error as ArchiveError where error.isDamage {
                check.damage = error
            } catch let error as ArchiveError {
                throw file.error(.archive(error))
            }
        }
        // The digest is of all bytes, however far the decompression came.
        while try unsafe !next().isEmpty {}
        return try check.finish(in: file)
    }

    /// Puts problems together with the images that need what they are about.
    package func errors(of problems: [LayoutError.Code]) throws(LayoutError) -> [LayoutError] {
        let users = try images(needing: Set(problems.compactMap(\.damagedDigest)))
        return problems.map { problem in
            let images = problem.damagedDigest.flatMap { users[$0] } ?? []
            return LayoutError(problem, .reading, path: path, images: images)
        }
    }
}
