import FoundationEssentials
import OCI

/// The file `oci-layout`.
///
/// Spec: image "oci-layout file".
struct LayoutMarker: Codable {
    let imageLayoutVersion: String

    static let current = LayoutMarker(imageLayoutVersion: "1.0.0")
    /// The most bytes of one that is read.
    static let byteLimit = 64 << 10

    /// Refuses a version that is not known.
    func check(in file: OpenFile) throws(LayoutError) {
        guard imageLayoutVersion.hasPrefix("1.0.") else { throw file.error(.unsupportedVersion(imageLayoutVersion)) }
    }
}

/// The file `index.json`.
///
/// Spec: image "index.json file".
struct LayoutIndex: Codable {
    let schemaVersion: Int
    let mediaType: MediaType?
    let manifests: [Descriptor]

    /// One entry for each image, in the order given, under its name in both annotations; then one for each referrer.
    init(images: [LayoutImage], referrers: [LayoutReferrer]) {
        schemaVersion = 2
        mediaType = .ociIndex
        manifests = images.map(\.entry) + referrers.map(\.entry)
    }

    /// As it is in the file.
    var bytes: [UInt8] {
        get throws(LayoutError) {
            var text = JSONText()
            text.append(#"{"manifests":["#)
            try text.append(manifests) { text, entry throws(LayoutError) in try text.append(entry) }
            text.append("]")
            if let mediaType {
                text.append(#","mediaType":"#)
                text.append(text: mediaType.rawValue)
            }
            text.append(#","schemaVersion":"#)
            text.append(number: Int64(schemaVersion))
            text.append("}")
            return text.bytes
        }
    }
}

extension LayoutImage {
    /// As it stands in the index.
    var entry: Descriptor {
        let names = [LayoutAnnotation.referenceName: name, LayoutAnnotation.containerdName: name]
        return Descriptor(
            mediaType: descriptor.mediaType,
            digest: descriptor.digest,
            size: descriptor.size,
            annotations: names.merging(subset?.annotations ?? [:]) { name, _ in name }
        )
    }
}

/// An entry of Docker's `manifest.json`, which `docker load`, and `podman load` of several images, read.
struct DockerImage {
    let config: String
    let repositoryTags: [String]
    let layers: [String]

    /// Describes a tagged image; nil where Docker could not load it.
    init?(_ image: LayoutImage, documents: [Digest: Document], foreignLayers: ForeignLayers) {
        guard !image.name.contains("@"),
            let manifest = Self.choose(from: image.descriptor, documents: documents),
            // Docker would look for the layers that are not there.
            manifest.foreignLayers.allSatisfy(foreignLayers.contains)
        else { return nil }
        config = LayoutPath.blob(manifest.config.digest)
        repositoryTags = [image.name]
        layers = manifest.layers.map { LayoutPath.blob($0.digest) }
    }

    /// Docker's form knows one platform: the only one, else linux/amd64, else the first of Linux.
    private static func choose(from top: Descriptor, documents: [Digest: Document]) -> ImageManifest? {
        let candidates = runnable(beneath: top, documents: documents)
        guard candidates.count != 1 else { return candidates.first?.manifest }
        let linux = candidates.filter { $0.platform?.os == "linux" }
        return (linux.first { $0.platform?.architecture == "amd64" } ?? linux.first)?.manifest
    }

    private static func runnable(
        beneath top: Descriptor,
        documents: [Digest: Document]
    ) -> [(platform: Platform?, manifest: ImageManifest)] {
        var found: [(platform: Platform?, manifest: ImageManifest)] = []
        var seen: Set<Digest> = []
        var pending = [top]
        while let descriptor = pending.popLast() {
            guard seen.insert(descriptor.digest).inserted, !descriptor.isAttestation else { continue }
            guard let document = documents[descriptor.digest] else { continue }
            pending += document.children.reversed()
            if case .manifest(let manifest) = document.content, manifest.config.mediaType.isImageConfig {
                found.append((descriptor.platform, manifest))
            }
        }
        return found
    }

    /// As it is in the list.
    func append(to text: inout JSONText) {
        text.append(#"{"Config":"#)
        text.append(text: config)
        text.append(#","Layers":["#)
        text.append(layers) { $0.append(text: $1) }
        text.append(#"],"RepoTags":["#)
        text.append(repositoryTags) { $0.append(text: $1) }
        text.append("]}")
    }
}

/// Encodes in one way only: sorted keys, no escaped slashes, no spaces.
func deterministicJSON(_ value: some Encodable) throws(LayoutError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return [UInt8](try encoder.encode(value))
    } catch {
        throw LayoutError(.unreadable(reason: "\(error)"), .planning, path: nil)
    }
}
