import ImageLayout
public import RegistryServer

extension ServedContent {
    /// Bundles, read-only, under the names that a push with the same mapping gives.
    ///
    /// Nothing is written, but what a compressed file is unpacked to; the files stay open as long as the content. Opening
    /// reads every manifest, and blocks.
    ///
    /// - Parameters:
    ///   - paths: the files; at least one.
    ///   - mapping: how the images are named.
    ///   - reading: how the files are read.
    ///   - progress: hears when one has to be unpacked.
    /// - Returns: the content.
    /// - Throws: ``DrayageError`` with `usage` where none is given, `unverified` where something in one is missing or
    ///   damaged, `nameCollision` where two images would have one name; `LayoutError` where one cannot be read.
    public static func bundles(
        _ paths: [String],
        mapping: PathMapping,
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) throws -> ServedContent {
        .bundles(try BundleContent(opening: paths, mapping: mapping, reading: reading, progress: progress))
    }
}

extension BundleContent {
    /// Opens bundles.
    init(
        opening paths: [String],
        mapping: PathMapping,
        reading: ReadingOptions = .init(),
        progress: @escaping ProgressHandler = { _ in }
    ) throws {
        guard !paths.isEmpty else { throw DrayageError(.usage, "no bundle to serve is named") }
        let readers = try paths.map { try reading.openBlocking($0, progress: progress) }
        do {
            try self.init(readers: readers, naming: mapping.path)
        } catch let error as BundleError {
            throw DrayageError(serving: error, mapping)
        }
    }
}

extension DrayageError {
    /// Says of bundles that cannot be served what a push says of one.
    fileprivate init(serving error: BundleError, _ mapping: PathMapping) {
        switch error.code {
        case .damaged: self.init(.unverified, error.description)
        case .nameCollision(_, let one, let other):
            // Two bundles may have one image twice, old and new: no host tells these apart.
            let hint = mapping.keepsHost || one.name == other.name ? "" : "; --keep-host keeps them apart"
            self.init(.nameCollision, error.description + hint)
        case .invalidName(let cause): self.init(.other, "naming an image of \(error.path)", underlying: cause)
        default: self.init(.other, error.description)
        }
    }
}
