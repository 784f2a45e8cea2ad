import Foundation
import OCI

/// The images that speed and memory are measured with.
package enum BenchImages {
    /// Writes many small images: each has three layers, of which all share the first.
    ///
    /// - Parameters:
    ///   - count: how many images.
    ///   - layerByteCount: about how large a layer is.
    ///   - storage: where they go, as `bench/small-1:1` and so on.
    /// - Returns: their names.
    /// - Throws: ``SystemError`` when they cannot be written.
    package static func writeSmall(
        count: Int,
        layerByteCount: Int = 16 << 10,
        to storage: RegistryStorage
    ) throws -> [String] {
        var builder = ImageBuilder(seed: 400)
        let shared = try builder.layer(byteCount: layerByteCount)
        return try (1...max(1, count)).map { number in
            let own = [try builder.layer(byteCount: layerByteCount), try builder.layer(byteCount: layerByteCount)]
            let repository = "bench/small-\(number)"
            try storage.add(try builder.image(layers: [shared] + own), repository: repository, tag: "1")
            return "\(repository):1"
        }
    }

    /// Writes what many teams build on one base: images that share three large layers and have two of their own each.
    ///
    /// - Parameters:
    ///   - count: how many repositories, of one image each.
    ///   - sharedByteCount: how large a shared layer is.
    ///   - ownByteCount: how large one of their own is.
    ///   - storage: where they go, as `bench/app-1:1` and so on.
    /// - Returns: their names.
    /// - Throws: ``SystemError`` when they cannot be written.
    package static func writeApp(
        repositories count: Int,
        sharedByteCount: Int = 30 << 20,
        ownByteCount: Int = 1 << 20,
        to storage: RegistryStorage
    ) throws -> [String] {
        var builder = ImageBuilder(seed: 60)
        let shared = try (0..<3).map { _ in try builder.opaqueLayer(byteCount: sharedByteCount) }
        return try (1...max(1, count)).map { number in
            let own = try (0..<2).map { _ in try builder.opaqueLayer(byteCount: ownByteCount) }
            let repository = "bench/app-\(number)"
            try storage.add(try builder.image(layers: shared + own), repository: repository, tag: "1")
            return "\(repository):1"
        }
    }

    /// Writes repositories of five small images each, as `bench/storage-1:1` to `:5` and so on.
    ///
    /// Of 25 blobs for each repository, five are manifests, five are configs, and 15 are layers: two for each image alone,
    /// four for all images of the repository, and two for those of two repositories.
    ///
    /// - Parameters:
    ///   - count: how many repositories.
    ///   - storage: where they go.
    /// - Returns: the names of the first two images of each: what a prune is told to keep.
    /// - Throws: ``SystemError`` when they cannot be written.
    package static func writeStorage(repositories count: Int, to storage: RegistryStorage) throws -> [String] {
        var builder = ImageBuilder(seed: 2000)
        var names: [String] = []
        var pair: [TestBlob] = []
        for number in 1...max(1, count) {
            if number % 2 == 1 { pair = try tinyLayers(2, &builder) }
            let (repository, shared) = ("bench/storage-\(number)", try tinyLayers(4, &builder))
            for tag in 1...5 {
                let image = try builder.image(layers: pair + shared + tinyLayers(2, &builder))
                try storage.add(image, repository: repository, tag: "\(tag)")
            }
            names += ["\(repository):1", "\(repository):2"]
        }
        return names
    }

    private static func tinyLayers(_ count: Int, _ builder: inout ImageBuilder) throws -> [TestBlob] {
        try (0..<count).map { _ in try builder.opaqueLayer(byteCount: 64) }
    }

    /// Writes one image with one large layer, as `bench/large:1`.
    ///
    /// - Parameters:
    ///   - byteCount: the size of the layer.
    ///   - storage: where it goes.
    /// - Returns: the descriptor of the layer.
    /// - Throws: ``SystemError`` when it cannot be written.
    @discardableResult
    package static func writeLarge(byteCount: Int64, to storage: RegistryStorage) throws -> TestBlob {
        var builder = ImageBuilder(seed: 1)
        try FileManager.default.createDirectory(atPath: storage.root, withIntermediateDirectories: true)
        // Beside the storage, so that taking it in is a link and not a copy.
        let path = storage.root + "/large-layer"
        let layer = try builder.largeLayer(byteCount: byteCount, at: path)
        try storage.add(try builder.image(layers: [layer]), repository: "bench/large", tag: "1")
        try FileManager.default.removeItem(atPath: path)
        return TestBlob(
            descriptor: layer.descriptor,
            content: .file(storage.blobPath(layer.digest)),
            diffID: layer.diffID
        )
    }
}
