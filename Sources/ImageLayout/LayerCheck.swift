import Archive
import OCI

/// Takes a layer's bytes and its content as they pass, and holds them against what is said of them.
struct LayerCheck {
    /// The compression to undo; nil where no claim is about what would come of it.
    let compression: Compression?
    /// Why the content does not come out of the bytes.
    var damage: ArchiveError?

    private let layer: Digest
    private let claims: [LayerClaims.Claim]
    private let actual: Compression?
    private let bytes: Hashers
    private let content: Hashers
    private var byteCount: Int64 = 0
    private var contentByteCount: Int64 = 0

    /// Prepares for a layer that begins as something compressed in a known way does, or as nothing known.
    init(layer: Digest, claims: [LayerClaims.Claim], actual: Compression?) {
        self.layer = layer
        self.claims = claims
        self.actual = actual
        compression = actual.flatMap { actual in claims.contains { $0.compression == actual } ? actual : nil }
        let plain = claims.filter { $0.compression == nil }.compactMap(\.diffID?.algorithm)
        let packed = claims.filter { $0.compression != nil }.compactMap(\.diffID?.algorithm)
        bytes = Hashers([layer.algorithm] + plain)
        content = Hashers(compression == nil ? [] : packed)
    }

    /// Takes the next bytes of the layer as it is.
    mutating func takeBytes(_ piece: UnsafeRawBufferPointer) {
        unsafe bytes.update(piece)
        byteCount += Int64(piece.count)
    }

    /// Takes the next bytes of what was decompressed.
    mutating func takeContent(_ piece: UnsafeRawBufferPointer) {
        unsafe content.update(piece)
        contentByteCount += Int64(piece.count)
    }

    /// Says what is wrong, each thing once.
    ///
    /// - Throws: ``LayoutError`` with `wrongDigest` where the bytes are not the layer's: then nothing else matters.
    func finish(in file: OpenFile) throws(LayoutError) -> LayerFindings {
        let (bytes, content) = (try bytes.finish(in: file), try content.finish(in: file))
        if let actual = bytes[layer.algorithm], actual != layer {
            throw file.error(.wrongDigest(expected: layer, actual: actual))
        }
        var (problems, known): ([LayoutError.Code], Set<LayoutError.Code>) = ([], [])
        for claim in claims {
            if let problem = problem(of: claim, bytes, content), known.insert(problem).inserted {
                problems.append(problem)
            }
        }
        return LayerFindings(byteCount: compression == nil ? byteCount : contentByteCount, problems: problems)
    }

    private func problem(
        of claim: LayerClaims.Claim,
        _ bytes: [Digest.Algorithm: Digest],
        _ content: [Digest.Algorithm: Digest]
    ) -> LayoutError.Code? {
        guard claim.compression == nil || claim.compression == actual else { return wrongCompression(claim) }
        if claim.compression != nil, let damage { return .brokenLayer(layer, damage) }
        guard let expected = claim.diffID,
            let found = (claim.compression == nil ? bytes : content)[expected.algorithm], found != expected
        else { return nil }
        // What begins as something compressed may be just that: only its digest tells.
        if claim.compression == nil, actual != nil { return wrongCompression(claim) }
        return .wrongContent(layer: layer, config: claim.config, expected: expected, actual: found)
    }

    private func wrongCompression(_ claim: LayerClaims.Claim) -> LayoutError.Code {
        .wrongCompression(layer: layer, manifest: claim.manifest, declared: claim.compression, actual: actual)
    }
}

/// Digests of the same bytes by several algorithms.
private struct Hashers {
    private let byAlgorithm: [Digest.Algorithm: DigestHasher]

    init(_ algorithms: [Digest.Algorithm]) {
        byAlgorithm = Dictionary(uniqueKeysWithValues: Set(algorithms).map { ($0, DigestHasher(algorithm: $0)) })
    }

    func update(_ piece: UnsafeRawBufferPointer) {
        for hasher in byAlgorithm.values { unsafe hasher.update(piece) }
    }

    func finish(in file: OpenFile) throws(LayoutError) -> [Digest.Algorithm: Digest] {
        var digests: [Digest.Algorithm: Digest] = [:]
        for (algorithm, hasher) in byAlgorithm { digests[algorithm] = try file.finish(hasher) }
        return digests
    }
}
