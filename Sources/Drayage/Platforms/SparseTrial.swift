import FoundationEssentials
import ImageLayout
import RegistryClient

/// An index of which no image is there, to find out whether a registry takes such.
///
/// Some refuse every index of which an image is missing, as docker-distribution does unless it is told otherwise; others
/// ask for certain platforms alone.
struct SparseTrial: Encodable {
    private let schemaVersion = 2
    private let mediaType: MediaType
    private let annotations = ["dev.drayage.trial": "sparse"]
    private let manifests: [Descriptor]

    /// Makes an index like one that names what is not there.
    ///
    /// It is deleted again, and some registries delete what an index names with it: so it names what nobody can have.
    ///
    /// - Parameters:
    ///   - absent: what the index names.
    ///   - mediaType: its type.
    /// - Returns: an index of that type and of the same platforms.
    /// - Throws: `DocumentError` where it would be too large.
    static func index(like absent: [Descriptor], mediaType: MediaType = .ociIndex) throws -> Document {
        let nowhere = try absent.map { child in
            Descriptor(
                mediaType: child.mediaType,
                digest: try Digest.of(Array("a trial of drayage in place of \(child.digest)".utf8)),
                size: child.size,
                platform: child.platform
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = try encoder.encode(SparseTrial(mediaType: mediaType, manifests: nowhere))
        return try Document(bytes: [UInt8](text), declaredType: mediaType)
    }

    private init(mediaType: MediaType, manifests: [Descriptor]) {
        (self.mediaType, self.manifests) = (mediaType, manifests)
    }
}

extension ImageGraph {
    /// The manifests that an image's indexes name and that are not there.
    func absentees(of top: Digest) -> [Descriptor] {
        documents(from: top).flatMap(\.children).filter { documents[$0.digest] == nil }
    }
}
