import Drayage
import Foundation
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// A bundle that was interrupted is gone on with by the same call.
@Suite(.timeLimit(.minutes(10))) struct ContinuedBundleTests {
    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let proxy: FaultProxy
    private let fault = LayerFault()
    private let large: TestBlob
    private let images: [TestImage]
    private let names: [String]

    /// What happens to the large layer now.
    private final class LayerFault: Sendable {
        private let fault = Mutex<(FaultProxy.Fault?, isOfRanges: Bool)>((nil, false))

        func fault(of request: Request) -> FaultProxy.Fault? {
            fault.withLock { $0.isOfRanges && request.header("Range") == nil ? nil : $0.0 }
        }

        func set(_ new: FaultProxy.Fault?, ofRanges isOfRanges: Bool = false) {
            fault.withLock { $0 = (new, isOfRanges) }
        }
    }

    private static let partial = ["bundle.tar.partial", "bundle.tar.partial.journal"]
    /// Where the large layer breaks off.
    private static let end = 1 << 20

    /// Two images that share a layer, of which the second has a large one.
    init() async throws {
        var workshop = try Workshop()
        workshop.includesReferrers = false
        (self.workshop, source) = (workshop, try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 340)
        let (shared, large) = (try builder.opaqueLayer(byteCount: 200_000), try builder.opaqueLayer(byteCount: 3 << 20))
        self.large = large
        images = [try builder.multiPlatform(sharing: [shared]), try builder.image(layers: [shared, large])]
        for (number, image) in images.enumerated() { try source.add(image, "app-\(number)") }
        proxy = try FaultProxy(to: source.address) { [fault] request, _ in
            request.path.hasSuffix("/\(large.digest)") ? fault.fault(of: request) : nil
        }
        names = images.indices.map { [proxy] in "\(proxy.address)/app-\($0):1" }
    }

    /// A bundle that is cancelled in the middle of the large layer.
    private func interrupt(_ names: [String]? = nil, keepGoing: Bool = false) async throws {
        let names = names ?? self.names
        fault.set(.transfer(.stalled(after: Self.end)))
        let advanced = Mutex<Int64>(0)
        let finished = Mutex<Set<Digest>>([])
        let task = Task { [large, workshop] in
            try await workshop.bundle(names, keepGoing: keepGoing) { event in
                switch event {
                case .blobAdvanced(large.digest, let count): advanced.withLock { $0 += count }
                case .blobFinished(let digest): finished.withLock { _ = $0.insert(digest) }
                default: break
                }
            }
        }
        let others = Set(images.flatMap(\.blobs).map(\.digest)).count - 1
        try await until { advanced.withLock { $0 } == Int64(Self.end) && finished.withLock { $0.count } == others }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try workshop.scratch.names().filter { $0.hasPrefix("bundle") } == Self.partial)
        fault.set(nil)
    }

    private func expectSame(as names: [String]? = nil, _ location: SourceLocation = #_sourceLocation) async throws {
        _ = try await workshop.bundle(names ?? self.names, to: "whole.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "whole.tar"), sourceLocation: location)
        #expect(try workshop.scratch.names() == ["bundle.tar", "whole.tar"], sourceLocation: location)
    }

    /// The requests since a number of them, without those that were answered with nothing.
    private func requests(since count: Int) -> [FaultProxy.Exchange] { Array(proxy.exchanges.dropFirst(count)) }

    @Test func `it ends with the same bytes, and only what is missing is fetched`() async throws {
        try await interrupt()
        let count = proxy.exchanges.count
        let continued = Mutex<[Int64]>([])
        let report = try await workshop.bundle(names) { event in
            if case .continuing(let byteCount) = event { continued.withLock { $0.append(byteCount) } }
        }
        #expect(report.outcome == .done)
        #expect(report.notes == [])
        let requests = requests(since: count)
        // What the tags mean by now, and the rest of the one layer.
        #expect(requests.map(\.request.method).sorted() == ["GET", "HEAD", "HEAD"])
        let rest = try #require(requests.first { $0.request.method == "GET" })
        #expect(rest.request.path == "/v2/app-1/blobs/\(large.digest)")
        let start = try #require(rest.request.header("Range")?.wholeMatch(of: /bytes=([0-9]+)-/).flatMap { Int($0.1) })
        // But for what is not worth a note of its own.
        #expect(start > Self.end - (64 << 10) && start <= Self.end)
        #expect(rest.answerByteCount == Int(large.descriptor.size) - start)
        let totals = try #require(report.totals)
        #expect(totals.fetchedByteCount == large.descriptor.size - Int64(start))
        #expect(totals.keptByteCount == totals.byteCount - (totals.fetchedByteCount ?? 0))
        #expect(continued.withLock { $0 } == [totals.keptByteCount])
        let blobs = try #require(report.blobs)
        #expect(blobs.filter { $0.status == .fetched }.map(\.digest) == [large.digest])
        #expect(blobs.count { $0.status == .kept } == totals.blobCount - 1)
        try await expectSame()
    }

    @Test func `a run that fails says where it keeps what it has, and is gone on with`() async throws {
        let kept = Mutex<[String]>([])
        fault.set(.transfer(.reset(after: Self.end)))
        let failed = try await workshop.bundle(names) { event in
            if case .kept(let path) = event { kept.withLock { $0.append(path) } }
        }
        #expect(failed.outcome == .failed)
        #expect(kept.withLock { $0 } == [workshop.path("bundle.tar.partial")])
        #expect(failed.partial == workshop.path("bundle.tar.partial"))
        #expect(try workshop.scratch.names() == Self.partial)
        fault.set(nil)
        #expect(try await workshop.bundle(names).outcome == .done)
        try await expectSame()
    }

    @Test func `a run that fails again and again gains each time`() async throws {
        // A stall, for what comes together with the end of its connection may be lost; and a long one, as nothing else is
        // to be too slow on a busy machine.
        fault.set(.transfer(.stalled(after: Self.end)))
        var impatient = workshop
        impatient.connections.idleTimeout = .seconds(20)
        for _ in 1...2 { #expect(try await impatient.bundle(names).outcome == .failed) }
        fault.set(nil)
        let report = try await workshop.bundle(names)
        #expect(report.totals?.keptByteCount.map { $0 > Int64(Self.end) + (256 << 10) } == true)
        try await expectSame()
    }

    @Test func `with nothing left to fetch no blob is asked for`() async throws {
        try await interrupt()
        // Whoever makes the name meanwhile keeps it.
        try workshop.scratch.write("mine", to: "bundle.tar")
        await #expect(throws: (any Error).self) { try await workshop.bundle(names) }
        #expect(try workshop.scratch.read("bundle.tar") == Array("mine".utf8))
        #expect(try workshop.scratch.names() == ["bundle.tar"] + Self.partial)
        try FileManager.default.removeItem(atPath: workshop.path())
        _ = try await workshop.bundle(names)
        try await expectSame()
    }

    // MARK: - What has changed meanwhile

    @Test func `a tag that has moved keeps its digest, which is told`() async throws {
        _ = try await workshop.bundle(names, to: "old.tar")
        try await interrupt()
        var builder = ImageBuilder(seed: 341)
        let new = try builder.image()
        try source.add(new, "app-0")
        let report = try await workshop.bundle(names)
        #expect(report.outcome == .done)
        #expect(
            report.notes == [
                "\(names[0]) has moved to \(new.digest); this bundle goes on with \(images[0].digest), as it was "
                    + "planned; --refresh plans it again"
            ]
        )
        #expect(workshop.scratch.sameContent("bundle.tar", "old.tar"))
    }

    @Test func `a tag that is gone keeps its digest, which is told`() async throws {
        try await interrupt()
        try FileManager.default.removeItem(
            atPath: source.storage.root + "/docker/registry/v2/repositories/app-0/_manifests/tags/1"
        )
        let report = try await workshop.bundle(names)
        #expect(report.outcome == .done)
        #expect(report.notes.map { $0.hasPrefix("\(names[0]) is not there any more; ") } == [true])
        #expect(try await workshop.verify().outcome == .done)
    }

    @Test func `a refresh takes what the tags mean now, and keeps what is still needed`() async throws {
        try await interrupt()
        var builder = ImageBuilder(seed: 342)
        let new = try builder.index(of: [images[0].children[0], builder.image()])
        try source.add(new, "app-0")
        let count = proxy.exchanges.count
        let report = try await workshop.bundle(names, refresh: true)
        #expect(report.outcome == .done)
        #expect(report.notes == [])
        #expect(report.images.map(\.digest) == [new.digest, images[1].digest])
        let blobs = requests(since: count).filter { $0.request.path.contains("/blobs/") }
        let needed = Set(new.children[1].blobs.map(\.digest) + [large.digest])
        #expect(
            Set(blobs.map { $0.request.path.split(separator: "/").last.map(String.init) })
                == Set(needed.map(\.description))
        )
        #expect(blobs.count == needed.count)
        let rest = blobs.first { $0.request.path.hasSuffix("\(large.digest)") }
        #expect(rest?.request.header("Range") != nil)
        // Of the manifests only what is new.
        #expect(
            requests(since: count).count { $0.request.method == "GET" && $0.request.path.contains("/manifests/") } == 2
        )
        try await expectSame()
    }

    @Test func `a refresh without news goes on in place`() async throws {
        try await interrupt()
        let inode = try workshop.scratch.inode("bundle.tar.partial")
        _ = try await workshop.bundle(names, refresh: true)
        #expect(try workshop.scratch.inode("bundle.tar") == inode)
        try await expectSame()
    }

    @Test func `another list is refused with the way out, and a refresh takes it`() async throws {
        try await interrupt()
        try FileManager.default.copyItem(
            atPath: workshop.path("bundle.tar.partial"),
            toPath: workshop.path("before")
        )
        let third = try source.add(images[1], "third").replacing(source.address, with: proxy.address)
        let list = [names[1], third]
        let count = proxy.exchanges.count
        let error = await #expect(throws: DrayageError.self) { try await workshop.bundle(list) }
        #expect(
            error?.description
                == """
                \(workshop.path("bundle.tar.partial")) is what an interrupted run left of another list: \(third) added; \
                \(names[0]) left out. --refresh plans it again and keeps what is still needed; to start over, \
                remove it
                """
        )
        #expect(requests(since: count).isEmpty)
        #expect(workshop.scratch.sameContent("bundle.tar.partial", "before"))
        try FileManager.default.removeItem(atPath: workshop.path("before"))
        let report = try await workshop.bundle(list, refresh: true)
        #expect(report.totals?.keptByteCount.map { $0 > 1 << 20 } == true)
        try await expectSame(as: list)
    }

    @Test func `the order of the list does not matter`() async throws {
        try await interrupt()
        let report = try await workshop.bundle(names.reversed() + [names[0]])
        #expect(report.totals?.keptByteCount.map { $0 > 1 << 20 } == true)
        try await expectSame()
    }

    @Test func `with keep-going an image that is there by now comes in`() async throws {
        let names = names + ["\(proxy.address)/late:1"]
        try await interrupt(names, keepGoing: true)
        try source.add(images[0], "late")
        let report = try await workshop.bundle(names, keepGoing: true)
        #expect(report.outcome == .done)
        #expect(report.totals?.keptByteCount.map { $0 > 1 << 20 } == true)
        try await expectSame(as: names)
    }

    // MARK: - What is damaged

    @Test func `bytes that were changed meanwhile are noticed and fetched again, and no registry is blamed`()
        async throws
    {
        try await interrupt()
        let path = workshop.path("bundle.tar.partial")
        let bytes = try workshop.scratch.read("bundle.tar.partial")
        let begin = try #require(bytes.firstRange(of: try large.bytes.prefix(64)))
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(begin.lowerBound + 5000))
        try file.write(contentsOf: Data([bytes[begin.lowerBound + 5000] ^ 1]))
        try file.close()
        let retries = Mutex(0)
        let report = try await workshop.bundle(names) { event in
            if case .retrying = event { retries.withLock { $0 += 1 } }
        }
        #expect(report.outcome == .done)
        #expect(report.totals?.fetchedByteCount.map { $0 > large.descriptor.size } == true)
        #expect(retries.withLock { $0 } == 0)
        try await expectSame()
    }

    @Test(arguments: [nil, "bytes=17-"])
    func `a registry that gives another range than the rest gives the whole layer again`(range: String?) async throws {
        try await interrupt()
        fault.set(.askingForRange(range), ofRanges: true)
        let report = try await workshop.bundle(names)
        fault.set(nil)
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        try await expectSame()
    }
}

extension ScratchDirectory {
    func sameContent(_ name: String, _ other: String) -> Bool {
        FileManager.default.contentsEqual(atPath: path(name), andPath: path(other))
    }

    /// What tells one file from another.
    fileprivate func inode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path(name))[.systemFileNumber] as? Int
    }
}
