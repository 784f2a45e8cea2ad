import Drayage
import Foundation
import RegistryTestSupport
import TestSupport
import Testing

/// A blob that fails after the file has been laid out.
@Suite struct KeepGoingTests {
    /// What becomes of one blob, with what is said of it.
    enum Fault: CaseIterable {
        case otherBytes
        case fewerBytes
        case moreBytes
        case none

        func strike(_ storage: RegistryStorage, _ blob: TestBlob) throws {
            var bytes = try blob.bytes
            switch self {
            case .otherBytes: bytes[bytes.count / 2] ^= 1
            case .fewerBytes: bytes.removeLast()
            case .moreBytes: bytes.append(0)
            case .none: return try storage.removeBlob(blob.digest)
            }
            try storage.corrupt(blob.digest, with: bytes)
        }

        func cause(_ blob: TestBlob, _ storage: RegistryStorage) throws -> String {
            let size = blob.descriptor.size
            return switch self {
            case .otherBytes: "the digest must be \(blob.digest), but is \(try Digest.of(storage.bytes(blob.digest)))"
            case .fewerBytes: "\(size) bytes were expected, \(size - 1) came"
            case .moreBytes: "\(size) bytes were expected, \(size + 1) came"
            case .none: "not found (BLOB_UNKNOWN: the repository has no such blob)"
            }
        }

        var exitStatus: ExitStatus { self == .none ? .failed : .unverified }
    }

    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let layer: TestBlob
    private let names: [String]

    /// Four images, of which the second and the fourth need the one layer.
    init() async throws {
        (workshop, source) = (try Workshop(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 100)
        let (shared, bad) = (try builder.layer(byteCount: 9000), try builder.layer(byteCount: 30_000))
        layer = bad
        let images = [
            try builder.image(layers: [shared, builder.layer()]), try builder.image(layers: [shared, bad]),
            try builder.multiPlatform(sharing: [shared]), try builder.multiPlatform(sharing: [bad, shared]),
        ]
        for (number, image) in images.enumerated() {
            try source.storage.add(image, repository: "app-\(number)", tag: "1")
        }
        names = images.indices.map { [source] in "\(source.address)/app-\($0):1" }
    }

    @Test(arguments: Fault.allCases)
    func `the images that need it are left out, and the rest is what it would have been without them`(
        fault: Fault
    ) async throws {
        try fault.strike(source.storage, layer)
        let report = try await workshop.bundle(names, keepGoing: true)
        #expect(report.outcome == .partial)
        #expect(report.exitStatus == .partial)
        #expect(report.images.map(\.reference) == [names[0], names[2]])
        #expect(report.images.map(\.status) == [.bundled, .bundled])
        #expect(report.failures.map(\.subject) == [names[1], names[3]])
        let cause = try fault.cause(layer, source.storage)
        for failure in report.failures {
            #expect(failure.message.hasPrefix("fetching the blob \(source.address)/app-1@\(layer.digest): "))
            #expect(failure.message.hasSuffix(cause), "\(failure.message)")
        }
        let rest = try await workshop.bundle([names[2], names[0]], to: "rest")
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("rest"))
        #expect(report.bundleByteCount == rest.bundleByteCount)
        #expect(report.totals?.blobCount == rest.totals?.blobCount)
        #expect(report.totals?.byteCount == rest.totals?.byteCount)
        #expect(try workshop.scratch.names() == ["bundle.tar", "rest"])
    }

    @Test(arguments: Fault.allCases)
    func `no bundle is made where the rest was not asked for`(fault: Fault) async throws {
        try fault.strike(source.storage, layer)
        let report = try await workshop.bundle(names)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == fault.exitStatus)
        #expect(report.images.isEmpty)
        #expect(report.failures.map(\.subject) == [names[1], names[3]])
        let cause = try fault.cause(layer, source.storage)
        for failure in report.failures { #expect(failure.message.hasSuffix(cause), "\(failure.message)") }
        #expect(!workshop.scratch.contains("bundle.tar"))
    }

    @Test func `no bundle is made where every image needs it`() async throws {
        try Fault.otherBytes.strike(source.storage, layer)
        let report = try await workshop.bundle([names[1], names[3]], keepGoing: true)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .unverified)
        #expect(!workshop.scratch.contains("bundle.tar"))
    }

    @Test func `several blobs may fail, each with its own cause`() async throws {
        var builder = ImageBuilder(seed: 101)
        let (one, other) = (try builder.layer(), try builder.layer())
        for (number, layer) in [one, other].enumerated() {
            try source.storage.add(builder.image(layers: [layer]), repository: "bad-\(number)", tag: "1")
        }
        try Fault.none.strike(source.storage, one)
        try Fault.otherBytes.strike(source.storage, other)
        let bad = (0...1).map { "\(source.address)/bad-\($0):1" }
        let report = try await workshop.bundle(bad + [names[0]], keepGoing: true)
        #expect(report.failures.map(\.subject) == bad)
        #expect(report.failures.map { $0.message.contains("not found") } == [true, false])
        #expect(report.failures.map { $0.message.contains("the digest must be") } == [false, true])
        #expect(try await workshop.verify().failures.isEmpty)
        #expect(try await workshop.verify().images.map(\.reference) == [names[0]])
    }
}
