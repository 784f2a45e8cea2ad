import Foundation
import OCI
import Synchronization

/// Real images, made from the packages of the distribution that the tests run on.
package enum DebianImages {
    /// An image under its name.
    package struct Named: Sendable {
        /// The repository.
        package let repository: String
        /// The tag.
        package let tag: String
        /// The image.
        package let image: TestImage

        /// `repository:tag`.
        package var name: String { "\(repository):\(tag)" }
    }

    /// Where packages and layers are kept between runs.
    package static let defaultCache: String = {
        if let path = ProcessInfo.processInfo.environment["DRAYAGE_FIXTURES"] { return path }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return root.deletingLastPathComponent().appendingPathComponent(".build/fixtures").path
    }()

    private static let making = Mutex(())

    /// Makes the images, one after the other where tests of one process ask at once.
    ///
    /// - Parameter cache: a directory where packages and layers are kept; only what is missing is downloaded.
    /// - Returns: a small image and a large one of several layers, which share the base layer, and one for two platforms
    ///   of files that are the same on both; each of them in the OCI and in the Docker form.
    /// - Throws: ``CommandFailure`` when a package cannot be had, ``DebianPackageError`` when it is not as expected.
    package static func make(cache: String = defaultCache) throws -> [Named] {
        try making.withLock { _ in
            try ImageBuilder.Family.allCases.flatMap { try make($0, cache: cache) }
        }
    }

    private static func make(_ family: ImageBuilder.Family, cache: String) throws -> [Named] {
        var builder = ImageBuilder(family: family)
        let busybox = DebianPackage("busybox-static", cache: cache)
        let base = try busybox.layer(family: family)
        let shell = [try busybox.path(endingWith: "/bin/busybox"), "sh"]
        let small = try builder.image(layers: [base], command: shell)

        let data = try ["ca-certificates", "tzdata"].map { try DebianPackage($0, cache: cache).layer(family: family) }
        let platforms = [ImageBuilder.linuxAMD64, ImageBuilder.linuxARM64]
        let children = try platforms.map { try builder.image(layers: data, platform: $0, command: []) }
        let everywhere = try builder.index(of: children)

        let tools = [
            try DebianPackage(newestOf: "libicu", cache: cache), try DebianPackage(newestOf: "libllvm", cache: cache),
            DebianPackage("git", cache: cache), DebianPackage("vim-runtime", cache: cache),
        ]
        let layers = try [base] + tools.map { try $0.layer(family: family) }
        let large = try builder.image(layers: layers, command: shell)
        let byteCount = layers.reduce(0) { $0 + $1.descriptor.size }
        guard byteCount > 50_000_000 else {
            throw DebianPackageError(reason: "the layers of dev/toolchain have only \(byteCount) bytes")
        }

        let tag = family == .oci ? "stable" : "stable-docker"
        return [
            Named(repository: "tools/busybox", tag: tag, image: small),
            Named(repository: "site/certificates", tag: tag, image: everywhere),
            Named(repository: "dev/toolchain", tag: tag, image: large),
        ]
    }
}
