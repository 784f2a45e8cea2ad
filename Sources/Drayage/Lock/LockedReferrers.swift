import ImageLayout
import RegistryClient

extension BundleLock {
    /// What refers to each image.
    func referrers(of images: [Resolver.Image], strips: Bool) throws -> [PlannedImage: [LayoutReferrer]] {
        let locked = Dictionary(zip(try references.map(\.bundleName), self.images)) { first, _ in first }
        return images.reduce(into: [:]) { planned, image in
            let referrers = locked[image.reference.bundleName]?.referrers ?? []
            planned[PlannedImage(image, strips: strips)] = referrers.map { $0.layoutReferrer(of: image) }
        }
    }
}

extension Report.Referrer {
    init(_ referrer: LayoutReferrer) {
        digest = referrer.descriptor.digest
        mediaType = referrer.descriptor.mediaType
        byteCount = referrer.descriptor.size
        subject = referrer.subject
        tag = referrer.tag?.description
    }

    fileprivate func layoutReferrer(of image: Resolver.Image) -> LayoutReferrer {
        LayoutReferrer(
            descriptor: Descriptor(mediaType: mediaType, digest: digest, size: byteCount),
            subject: subject,
            repository: image.reference.repository,
            tag: tag.flatMap { try? Tag(parsing: $0) }
        )
    }
}
