import ImageLayout

/// How a file is read that may be another program's: a layout in a tar file or a directory, an archive of `docker save`,
/// compressed or not.
public struct ReadingOptions: Sendable {
    /// The directory in which a compressed file is unpacked, for as long as it is read; nil is the one that it is in.
    public var spoolDirectory: String?
    /// What images are called that have only a tag for a name, or none: the repository, and a tag for one that has none.
    public var imageName: Reference?

    /// The defaults: a compressed file is unpacked beside itself, and names are left as they are.
    public init() {}

    /// Opens what is at a path.
    ///
    /// - Parameters:
    ///   - path: the file or directory.
    ///   - progress: hears when it has to be unpacked.
    /// - Returns: the layout.
    /// - Throws: `LayoutError` where it cannot be read, ``DrayageError`` where it cannot be unpacked for want of space,
    ///   `CancellationError`.
    func open(_ path: String, progress: @escaping ProgressHandler) async throws -> LayoutReader {
        try await blocking { checkCancellation in
            try openBlocking(path, progress: progress, checkCancellation: checkCancellation)
        }
    }

    /// Opens what is at a path, and blocks meanwhile.
    ///
    /// - Parameters:
    ///   - path: the file or directory.
    ///   - progress: hears when it has to be unpacked.
    ///   - checkCancellation: is called now and then; what it throws ends the work.
    /// - Returns: the layout.
    /// - Throws: what ``open(_:progress:)`` does.
    func openBlocking(
        _ path: String,
        progress: @escaping ProgressHandler,
        checkCancellation: @escaping @Sendable () throws -> Void = {}
    ) throws -> LayoutReader {
        var spooling = Spooling()
        spooling.directory = spoolDirectory
        spooling.began = { progress(.unpacking(path: $0, byteCount: $1)) }
        spooling.advanced = checkCancellation
        do {
            return try LayoutReader(path: path, naming: imageName.map { ImageNaming($0) }, spooling: spooling)
        } catch let error as LayoutError {
            guard case .noSpace = error.code else { throw error }
            throw DrayageError(
                .other,
                "\(path) is compressed and has to be unpacked; --spool DIR names a directory with space for that",
                underlying: error
            )
        }
    }

    /// Opens what is at each of several paths.
    ///
    /// - Throws: what ``open(_:progress:)`` does.
    func open(_ paths: [String], progress: @escaping ProgressHandler) async throws -> [LayoutReader] {
        var readers: [LayoutReader] = []
        for path in paths { readers.append(try await open(path, progress: progress)) }
        return readers
    }
}

extension LayoutReader {
    /// Lines about manifests that are not in the file as they are listed, and about what is not in it.
    var formNotes: [String] {
        let missing = images.compactMap { image -> String? in
            guard let platforms = missingPlatforms[image.name], !platforms.isEmpty else { return nil }
            let list = platforms.map { $0.description.printableExcerpt }.joined(separator: ", ")
            return "\(image.name.printable): its index names \(list) too, which \(path) does not have"
        }
        guard form == .dockerArchive else { return missing }
        return [
            "\(path) is an archive of docker save, without manifests; what is listed is made of it, always the same"
        ]
    }
}
