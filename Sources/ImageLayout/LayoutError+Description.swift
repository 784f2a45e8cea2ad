import Archive
import Glibc
import OCI

extension LayoutError {
    /// One line: operation, subject, cause, and what to do next.
    package var description: String {
        // The cause names the file itself.
        if case .archive(let error) = code { return error.description.printable }
        let subject = (path ?? "the bundle").printable + (entry.map { ": entry \($0.printable)" } ?? "")
        return "\(operation.rawValue) \(subject): \(cause)\(neededBy)"
    }

    private var neededBy: String {
        guard let first = images.first else { return "" }
        let others = images.count > 1 ? " and \(images.count - 1) more" : ""
        return ", needed by \(first.printable)\(others)"
    }

    private var cause: String {
        planningCause ?? writingCause ?? damage ?? dockerCause ?? readingCause
    }

    private var planningCause: String? {
        switch code {
        case .conflictingSizes(let digest, let one, let other):
            "\(digest) is said to have \(one) bytes and \(other) bytes"
        case .conflictingNames(let name, let one, let other):
            "\(name.printable) is to be two images: \(one) and \(other)"
        case .missingDocument(let digest, let image):
            "the manifest \(digest) of \(image.printable) is not there"
        case .tooLarge: "its size would be more than a file can have"
        default: nil
        }
    }

    private var writingCause: String? {
        switch code {
        case .outputExists: "it exists; choose another name, or overwrite it with --force"
        case .beingFilled(let process):
            "another run\(process.map { " (process \($0))" } ?? "") is filling it"
        case .noSpace(let needed, let available):
            "no space left: it takes \(ByteText.size(needed)), the file system has \(ByteText.size(available))"
        case .fileTooLarge(let needed, let limit?):
            "it takes \(ByteText.size(needed)), and this process may write files of at most \(ByteText.size(limit)); "
                + "raise the limit with ulimit -f"
        case .fileTooLarge(let needed, nil):
            "it takes \(ByteText.size(needed)), which is more than a file can have on this file system"
        case .beyondBlob(let digest, let count): "more than the \(count) bytes of \(digest) were to be written"
        case .notPlanned(let digest): "it was not planned to hold \(digest)"
        case .partialReplaced: "another program removed or replaced it"
        case .beingRepaired: "another run is repairing it"
        case .replaced: "another program replaced it just now"
        case .notContinuable(let reason):
            "an interrupted bundle cannot be gone on with: \(reason); remove it to start over"
        case .notRepairable(let reason):
            "\(reason); only a bundle in a plain tar can be repaired: make one of it with drayage bundle --from"
        default: nil
        }
    }

    private var readingCause: String {
        switch code {
        case .unsafePath: "the path leads out of the bundle"
        case .duplicateEntry: "it is there twice"
        case .unsupportedEntry(let kind): "it is \(kind); a bundle has only files and directories"
        case .notLayout(let reason): "it is no OCI image layout: \(reason)"
        case .unsupportedVersion(let version): "its layout has version \(version.printable); only 1.0 is known"
        case .tooManyBytes(let count, let limit): "it has \(count) bytes; at most \(limit) are accepted"
        case .tooManyParts(let limit):
            "its images have more than \(limit) manifests and blobs, each counted for each image"
        case .unreadable(let reason): "it cannot be read: \(reason.printable)"
        case .changed: "it changed while it was being read"
        case .endsEarly(let offset): "it ended at byte \(offset) while it was being read"
        case .notRegularFile(let kind): "it is \(kind); a bundle is a file"
        case .system(self.operation.rawValue, let errno): errorText(errno)
        case .system(let operation, let errno): "\(operation): \(errorText(errno))"
        case .digest(let reason): reason.printable
        default: "\(code)".printable
        }
    }

    private var dockerCause: String? {
        switch code {
        case .missingEntry(let path): "it needs \(path.printableExcerpt), which is not in the archive"
        case .linkLeadsOut: "it is a link that leads out of the archive"
        case .tooManyLinks(let limit): "it leads through more than \(limit) links"
        case .parentLoop(let id): "the layer \(id.printableExcerpt) is its own ancestor"
        case .tooManyLayers(let limit): "an image has more than \(limit) layers"
        case .tooManyDocumentBytes(let limit): "the configs and manifests of its images have more than \(limit) bytes"
        case .differentLayerCounts(let layers, let diffIDs):
            "the archive has \(layers) layers for it, and it is the config of an image of \(diffIDs)"
        case .unsupportedCompression(let name):
            "it is compressed with \(name), which a layer of an image must not be; load it with Docker and push it from there"
        case .invalidName(let error): error.description
        case .nameWithDigest(let name):
            "\(name.printableExcerpt) has a digest, which cannot be that of an image of a Docker archive"
        default: nil
        }
    }

    private var damage: String? {
        switch code {
        case .missing(let digest): "\(digest) is missing"
        case .wrongSize(let digest, let expected, let actual):
            "\(digest) has \(actual) bytes instead of \(expected)"
        case .wrongDigest(let expected, let actual): "what should be \(expected) is \(actual)"
        case .invalidDocument(let digest, let error): "\(digest): \(error.description)"
        case .tooManyDocuments(let digest, let limit): "\(digest) has more than \(limit) manifests beneath it"
        default: layerDamage
        }
    }

    private var layerDamage: String? {
        switch code {
        case .brokenLayer(let digest, let error): "the layer \(digest): \(error.cause)"
        case .wrongCompression(let layer, let manifest, let declared, let actual):
            "the layer \(layer) is said to be \(Self.text(declared)) by the manifest \(manifest), "
                + "and is \(actual == nil ? "not" : Self.text(actual))"
        case .wrongContent(let layer, let config, let expected, let actual):
            "the content of the layer \(layer) should be \(expected), as the config \(config) says, and is \(actual)"
        case .wrongLayerCount(let manifest, let config, let layers, let diffIDs):
            "the manifest \(manifest) and its config \(config) do not have the same number of layers: "
                + "\(layers) and \(diffIDs)"
        default: nil
        }
    }

    private static func text(_ compression: Compression?) -> String {
        compression.map { "compressed with \($0)" } ?? "uncompressed"
    }
}

/// The system's text for a value of `errno`.
func errorText(_ code: Int32) -> String { unsafe String(cString: strerror(code)).lowercased() }
