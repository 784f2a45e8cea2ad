import Drayage
import RegistryTestSupport
import TestSupport
import Testing

extension FaultTableTests {
    /// Faults that come as they like: one in twenty requests, of any kind that passes.
    @Suite struct Seeds {
        @Test(arguments: 1...6 as ClosedRange<UInt64>)
        func `many images arrive whole through random faults`(seed: UInt64) async throws {
            let (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
            var workshop = try Workshop()
            workshop.connections.retryLimit = 8
            var builder = ImageBuilder(seed: seed)
            let shared = try builder.layer(byteCount: 200_000)
            let repositories = (1...6).map { "app/\($0)" }
            let images = try repositories.map { repository in
                let image = try builder.multiPlatform(sharing: [shared])
                try source.add(image, repository)
                return image
            }
            let script = FaultProxy.random(seed: seed, percentage: 5)
            let (from, to) = (
                try FaultProxy(to: source.address, script: script), try FaultProxy(to: target.address, script: script)
            )
            let bundled = try await workshop.bundle(repositories.map { "\(from.address)/\($0):1" })
            #expect(bundled.failures.map(\.message) == [])
            #expect(try await workshop.verify().failures.map(\.message) == [])
            let pushed = try await workshop.push(to: to.address)
            #expect(pushed.failures.map(\.message) == [])
            for (repository, image) in zip(repositories, images) {
                #expect(try target.storage.digest(ofTag: "1", repository: repository) == image.digest)
                for (digest, bytes) in try image.allBytes { #expect(try target.storage.bytes(digest) == bytes) }
            }
            #expect((from.exchanges + to.exchanges).contains { $0.fault != nil })
        }
    }
}
