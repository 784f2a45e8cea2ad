import Foundation
import ImageLayout
import OCI
import RegistryDirectory
import RegistryServer
import TestSupport
import Testing

/// Bundles as a registry.
@Suite struct BundleStoreTests {
    private let bundle: TestBundle

    init() throws { bundle = try TestBundle() }

    @Test func `everything in a bundle is served, byte for byte`() throws {
        var builder = ImageBuilder(seed: 900)
        let shared = try builder.layer(byteCount: 5000)
        let plain = try builder.image(layers: [shared, builder.layer()])
        let many = try builder.multiPlatform(sharing: [shared], attested: true)
        let nested = try builder.nestedIndex(levels: 3)
        let empty = try builder.image(layers: [builder.opaqueLayer(byteCount: 0)])
        let foreign = try builder.image(layers: [builder.foreignLayer(), builder.layer()])
        let chart = try builder.artifact()
        builder.family = .docker
        let docker = try builder.multiPlatform(sharing: [shared])
        builder.algorithm = .sha512
        let long = try builder.multiPlatform()
        let images = [
            "plain": plain, "many": many, "nested": nested, "empty": empty, "foreign": foreign, "chart": chart,
            "docker": docker, "long": long,
        ]
        let reader = try bundle.write(images.map { ("quay.io/all/\($0.key):1", $0.value) })
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        #expect(try store.repositories().map(\.description) == images.keys.map { "all/\($0)" }.sorted())
        for (name, image) in images {
            try expect(store, serves: [image], at: "all/\(name)")
            #expect(try store.tags(in: path("all/\(name)")) == [Tag(parsing: "1")])
            #expect(try store.digest(of: Tag(parsing: "1"), in: path("all/\(name)")) == image.digest)
        }
        // A foreign layer is its maker's to give.
        #expect(try store.blob(foreign.layers[0].digest, in: path("all/foreign")) == nil)
    }

    @Test func `a repository has its own images and nothing else`() throws {
        var builder = ImageBuilder(seed: 901)
        let (one, two, other) = (try builder.image(), try builder.image(), try builder.image())
        let reader = try bundle.write([
            ("quay.io/app:2", two), ("quay.io/app:1", one), ("quay.io/app:one", one), ("quay.io/other:1", other),
        ])
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        try expect(store, serves: [one, two], at: "app")
        try expect(store, lacks: [other], at: "app")
        try expect(store, serves: [other], at: "other")
        try expect(store, lacks: [one, two], at: "other")
        #expect(try store.tags(in: path("app"))?.map(\.description) == ["1", "2", "one"])
        #expect(try store.digest(of: Tag(parsing: "one"), in: path("app")) == one.digest)
        #expect(try store.digest(of: Tag(parsing: "3"), in: path("app")) == nil)
        let nowhere = try path("nowhere")
        #expect(try store.tags(in: nowhere) == nil)
        #expect(try store.digest(of: .latest, in: nowhere) == nil)
        #expect(try store.manifests(in: nowhere) == [])
        #expect(try store.manifest(one.digest, in: nowhere) == nil)
        #expect(try store.blob(one.layers[0].digest, in: nowhere) == nil)
        // A manifest is no blob, and a blob no manifest.
        #expect(try store.blob(one.digest, in: path("app")) == nil)
        #expect(try store.manifest(one.layers[0].digest, in: path("app")) == nil)
    }

    @Test func `several bundles are one registry`() throws {
        var builder = ImageBuilder(seed: 902)
        let base = try builder.layer()
        let (one, two) = (try builder.image(layers: [base]), try builder.image(layers: [base, builder.layer()]))
        let other = try builder.image()
        let readers = [
            try bundle.write([("quay.io/app:1", one), ("quay.io/both:1", other)], to: "one.tar"),
            try bundle.write([("docker.io/x/app:2", two), ("quay.io/app:2", two)], to: "two.tar"),
            // The same image under the same name is no contradiction.
            try bundle.write([("quay.io/app:1", one)], to: "three.tar"),
        ]
        let store = try BundleContent(readers: readers, naming: withoutHost).store(forNamespace: nil)
        #expect(try store.repositories().map(\.description) == ["app", "both", "x/app"])
        try expect(store, serves: [one, two], at: "app")
        try expect(store, serves: [two], at: "x/app")
        try expect(store, serves: [other], at: "both")
    }

    @Test func `an open blob outlives the bundle's reader, and has a file of its own`() throws {
        var builder = ImageBuilder(seed: 903)
        let image = try builder.image()
        let layer = image.layers[0]
        func open() throws -> (OpenBlob, OpenBlob) {
            let reader = try bundle.write([("quay.io/app:1", image)])
            let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
            let blobs = (
                try #require(try store.blob(layer.digest, in: path("app"))),
                try #require(try store.blob(layer.digest, in: path("app")))
            )
            let own = try #require(try reader.location(of: layer.digest))
            #expect(blobs.0.descriptor != blobs.1.descriptor && blobs.0.descriptor != own.descriptor)
            #expect(fcntl(blobs.0.descriptor, F_GETFD) & FD_CLOEXEC != 0)
            return blobs
        }
        let (first, second) = try open()
        #expect(try first.bytes == layer.bytes)
        #expect(try second.bytes == layer.bytes)
    }

    @Test func `a bundle that was cut while it is served says what to do`() throws {
        var builder = ImageBuilder(seed: 904)
        let image = try builder.image(layers: [
            builder.opaqueLayer(byteCount: 10_000), builder.opaqueLayer(byteCount: 9_000),
        ])
        let reader = try bundle.write([("quay.io/app:1", image)])
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        let ranges = try image.layers.map { try #require(reader.range(of: $0.digest)) }
        let last = try #require(ranges.map(\.upperBound).max())
        #expect(truncate(reader.path, Int(last) - 1) == 0)
        for (layer, range) in zip(image.layers, ranges) {
            if range.upperBound < last {
                #expect(try store.blob(layer.digest, in: path("app"))?.bytes == layer.bytes)
                continue
            }
            let error = #expect(throws: BundleError.self) { try store.blob(layer.digest, in: path("app")) }
            #expect(error?.code == .shortened(byteCount: last - 1))
            #expect(
                error?.description == """
                    reading \(reader.path): it was cut to \(last - 1) bytes while it was served; \
                    put the whole file back and start the server again
                    """
            )
        }
        // What was verified and read when it was opened is not touched by that.
        #expect(try store.manifest(image.digest, in: path("app")) == image.document.bytes)
    }

    @Test func `many threads read at once, and no file is left open`() throws {
        var builder = ImageBuilder(seed: 905)
        let image = try builder.image(layers: [builder.layer(byteCount: 50_000)])
        let reader = try bundle.write([("quay.io/app:1", image)])
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        let (repository, layer) = (try path("app"), image.layers[0])
        let expected = try layer.bytes
        DispatchQueue.concurrentPerform(iterations: 2000) { _ in
            #expect((try? store.blob(layer.digest, in: repository))?.bytes == expected)
        }
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == reader.path
        }
        #expect(open.count == 1)
    }
}
