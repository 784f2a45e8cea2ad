import ImageLayout
import RegistryClient

extension PushPlan.Referrer {
    /// What it is called in the target.
    var name: String { target.name(in: repository) }
}

extension PushPlan {
    /// What refers to the images that are in the target afterwards, each once.
    static func referrers(of images: [Image]) -> [Referrer] {
        struct Key: Hashable {
            let digest: Digest
            let subject: Digest
            let target: ManifestTarget
            let repository: Repository
        }
        var order: [Key] = []
        var referrers: [Key: Referrer] = [:]
        for image in images where image.action.sends || image.action == .upToDate {
            for referrer in image.referrers {
                let digest = referrer.descriptor.digest
                let target = referrer.tag.map { ManifestTarget.tag($0) } ?? .digest(digest)
                let key = Key(digest: digest, subject: referrer.subject, target: target, repository: image.repository)
                guard referrers[key] == nil else {
                    referrers[key]?.images.append(image.name)
                    continue
                }
                order.append(key)
                referrers[key] = Referrer(
                    descriptor: referrer.descriptor,
                    subject: referrer.subject,
                    repository: image.repository,
                    target: target,
                    images: [image.name]
                )
            }
        }
        return order.compactMap { referrers[$0] }
    }
}
