import OCI
import TestSupport

/// Images for three platforms, of which one is not wanted.
enum ThreePlatforms {
    /// The one that is left out.
    static let s390x = Platform(os: "linux", architecture: "s390x")
    /// Those that are asked for.
    static let both = ["linux/amd64", "linux/arm64/v8"]

    /// Three platforms with a layer in common, each with its attestation.
    static func image(seed: UInt64, family: ImageBuilder.Family = .oci) throws -> TestImage {
        var builder = ImageBuilder(seed: seed, family: family)
        let platforms = [s390x, ImageBuilder.linuxAMD64, ImageBuilder.linuxARM64]
        return try builder.multiPlatform(platforms, sharing: [builder.layer()], attested: family == .oci)
    }

    /// What is there of an image where ``both`` are taken: the children, in order.
    static func left(of image: TestImage) -> [TestImage] {
        let gone = image.children[0].digest.description
        return image.children.filter { $0.platform != s390x && $0.annotations?.values.contains(gone) != true }
    }
}
