package import OCI

/// A named image at the top of a bundle.
package struct LayoutImage: Hashable, Sendable {
    /// The name: the canonical one (`docker.io/library/alpine:3.20`) in what Drayage writes; any text in what it reads.
    package let name: String
    /// Its manifest or index.
    package let descriptor: Descriptor
    /// What is there of it; nil for all.
    package let subset: LayoutSubset?

    /// Names an image.
    package init(name: String, descriptor: Descriptor, subset: LayoutSubset? = nil) {
        self.name = name
        self.descriptor = descriptor
        self.subset = subset
    }

    /// Whether manifests that its index names are left out.
    package var isSparse: Bool { subset.map { $0.original == nil } ?? false }

    /// Whether the name can name a repository.
    ///
    /// Other programs write a bare tag as the name of an image (`3.20`), which is not to be taken for a repository.
    package var namesRepository: Bool { name.namesRepository }
}

extension String {
    /// Whether it is more than a tag.
    var namesRepository: Bool { contains { "/:@".contains($0) } }
}

/// The names that the specification gives to the parts of a layout.
///
/// Spec: image "OCI Image Layout Specification".
enum LayoutPath {
    static let layout = "oci-layout"
    static let index = "index.json"
    /// Docker's own list of images, beside the specification's.
    static let dockerManifest = "manifest.json"

    static func blob(_ digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

    /// The digest of the blob with this path; nil where it is no blob.
    static func digest(ofBlob path: String) -> Digest? {
        let bytes = path.utf8
        guard bytes.starts(with: "blobs/".utf8) else { return nil }
        let name = bytes.dropFirst("blobs/".utf8.count)
        guard let end = name.firstIndex(of: slash) else { return nil }
        // Layouts may hold files that are no blobs, and blobs of algorithms that nothing here can refer to.
        return Digest(algorithm: name[..<end], hex: name[name.index(after: end)...])
    }

    /// A path without `.` components; nil where it is not beneath the layout's root or is no path of a file.
    static func normalized(_ path: String) -> String? {
        guard !path.utf8.contains(0) else { return nil }
        // By its bytes, as the system reads it: among characters an accent would hide the slash before it.
        let all = path.utf8.split(separator: slash, omittingEmptySubsequences: false)
        let parts = all.filter { !$0.elementsEqual(".".utf8) }
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && !$0.elementsEqual("..".utf8) }) else { return nil }
        return parts.count == all.count ? path : parts.map { String(Substring($0)) }.joined(separator: "/")
    }

    private static let slash = UInt8(ascii: "/")
}

/// The annotations of the entries of a layout.
package enum LayoutAnnotation {
    /// The name of an image.
    ///
    /// Spec: image "Pre-Defined Annotation Keys".
    static let referenceName = "org.opencontainers.image.ref.name"
    /// The same, read by containerd and, with its image store, by Docker, which take it verbatim.
    static let containerdName = "io.containerd.image.name"

    /// The digest that a signature or another referrer without a name refers to.
    package static let subject = "io.containerd.manifest.subject"
    /// The repository in which such a referrer was found.
    package static let repository = "dev.drayage.repository"
    /// The tag under which it was found, where it had one, as cosign's signatures do.
    package static let tag = "dev.drayage.tag"

    /// The platforms that were taken of an image of which others were left out, with commas between.
    static let platforms = "dev.drayage.platforms"
    /// The digest of the index that the image has where it comes from, where the one here was made for these platforms.
    static let original = "dev.drayage.original"
}
