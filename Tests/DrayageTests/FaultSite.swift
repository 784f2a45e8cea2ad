import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// One job with one image, and a proxy that makes faults between it and a registry.
struct FaultSite: Sendable {
    let job: FaultJob
    let image: TestImage
    let registry: EmbeddedRegistry
    let proxy: FaultProxy
    var workshop: Workshop

    /// Sets everything up for the job: what is to be bundled, or the bundle that is to be pushed.
    ///
    /// - Parameters:
    ///   - job: the job.
    ///   - registry: the registry; nil is a new one.
    ///   - byteCount: how large the image's one layer is.
    ///   - script: the faults.
    /// - Throws: what stands in the way.
    init(
        _ job: FaultJob,
        at registry: EmbeddedRegistry? = nil,
        layer byteCount: Int = 3000,
        script: @escaping FaultProxy.Script
    ) async throws {
        let registry = if let registry { registry } else { try await EmbeddedRegistry() }
        (self.job, self.registry, workshop) = (job, registry, try Workshop())
        image = try Self.image(layer: byteCount)
        proxy = try FaultProxy(to: registry.address, script: script)
        switch job {
        case .bundle:
            try registry.add(image, "app")
        case .push:
            let source = try await EmbeddedRegistry()
            try #require(try await workshop.bundle([source.add(image, "app")]).outcome == .done)
        }
    }

    /// The image of a site with a layer of that size.
    static func image(layer byteCount: Int = 3000) throws -> TestImage {
        var builder = ImageBuilder(seed: 550)
        return try builder.image(layers: [builder.opaqueLayer(byteCount: byteCount)])
    }

    /// Does the job, and tells of errors as the command does.
    func run(retryLimit: Int = 8) async -> Report {
        var workshop = workshop
        workshop.connections.retryLimit = retryLimit
        do {
            return switch job {
            case .bundle: try await workshop.bundle(["\(proxy.address)/app:1"])
            case .push: try await workshop.push(to: proxy.address)
            }
        } catch {
            return Report(command: job.rawValue, error: error)
        }
    }

    // MARK: - Expectations

    /// Expects everything to have arrived, byte for byte.
    func expectWhole(_ report: Report, _ location: SourceLocation = #_sourceLocation) async throws {
        #expect(report.outcome == .done, "\(report.failures.map(\.message))", sourceLocation: location)
        guard report.outcome == .done else { return }
        #expect(report.images.map(\.digest) == [image.digest], sourceLocation: location)
        switch job {
        case .bundle: try await expectBundle(location)
        case .push: try expectImage(location)
        }
    }

    /// Expects a failure with a message that has all of these, and nothing to be seen of the image.
    ///
    /// - Parameters:
    ///   - report: what the job said.
    ///   - texts: what the message must say.
    ///   - isStored: whether the registry took the tag, and only its answer was lost: then all beneath must be there.
    ///   - location: where it is expected.
    /// - Throws: what stands in the way of looking.
    func expectFailure(
        _ report: Report,
        _ texts: [String],
        isStored: Bool = false,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(report.outcome == .failed, sourceLocation: location)
        let message = report.failures.first?.message ?? ""
        for text in texts { #expect(message.contains(text), sourceLocation: location) }
        switch job {
        case .bundle:
            let left = Set(try workshop.scratch.names())
            let partial = ["bundle.tar.partial", "bundle.tar.partial.journal"]
            #expect(left.subtracting(partial) == [], sourceLocation: location)
        case .push where isStored:
            try expectImage(location)
        case .push:
            #expect(try registry.storage.digest(ofTag: "1", repository: "app") == nil, sourceLocation: location)
        }
    }

    private func expectBundle(_ location: SourceLocation) async throws {
        #expect(try workshop.scratch.names() == ["bundle.tar"], sourceLocation: location)
        #expect(try await workshop.verify().failures.map(\.message) == [], sourceLocation: location)
        let bytes = try workshop.scratch.read("bundle.tar")
        let ranges = Dictionary(uniqueKeysWithValues: TarBytes.entries(of: bytes).map { ($0.path, $0.range) })
        for (digest, expected) in try image.allBytes {
            let range = ranges["blobs/\(digest.algorithm.rawValue)/\(digest.hex)"]
            #expect(range.map { Array(bytes[$0]) } == expected, sourceLocation: location)
        }
    }

    private func expectImage(_ location: SourceLocation) throws {
        let storage = registry.storage
        #expect(try storage.digest(ofTag: "1", repository: "app") == image.digest, sourceLocation: location)
        #expect(try storage.revisions(repository: "app") == [image.digest], sourceLocation: location)
        for (digest, bytes) in try image.allBytes {
            #expect(try storage.bytes(digest) == bytes, sourceLocation: location)
        }
        for blob in image.blobs {
            #expect(storage.hasBlob(blob.digest, repository: "app"), sourceLocation: location)
        }
    }
}
