import OCI

/// What an archive of `docker save` is as an image layout.
///
/// The same content gives the same manifests, in whatever order the archive has it.
struct DockerArchive {
    /// The entries of the index: one for each tag, under its full name; one without a name for an image without a tag.
    let manifests: [Descriptor]
    /// Where the configs and layers that are in the archive lie, in bytes from the beginning of the file.
    let blobs: [Digest: Range<Int64>]
    /// What the archive does not have as bytes of its own: the manifests, and the configs of the oldest archives.
    let made: [Digest: [UInt8]]

    /// Reads what the archive says of its images, and their configs.
    ///
    /// Of the layers only those are read whose digests nothing else tells: compressed ones without their digest in their
    /// names, and all of what Docker before version 1.10 wrote.
    ///
    /// - Parameters:
    ///   - file: the archive.
    ///   - entries: its entries.
    /// - Throws: ``LayoutError`` when what an image needs is missing, makes no sense, contradicts itself or is more than
    ///   the limits allow, or when the file cannot be read.
    init(of file: OpenFile, entries: DockerEntries) throws(LayoutError) {
        var images = DockerImages(file: file, entries: entries)
        if entries.contains(LayoutPath.dockerManifest) {
            try images.addImages()
        } else {
            try images.addLegacyImages()
        }
        manifests = images.manifests
        blobs = images.blobs
        made = images.made
    }
}
