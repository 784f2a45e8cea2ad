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
