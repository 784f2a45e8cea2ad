import Drayage
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// Mirrors are asked first, and what they do not give comes from the source.
@Suite(.timeLimit(.minutes(10))) struct MirrorTests {
    private let site: MirrorSite
    private var workshop: Workshop { site.workshop }
    private var source: Source { site.source }
    private var image: TestImage { site.image }
    private var name: String { site.name }

    init() throws { site = try MirrorSite() }

    // MARK: - A mirror that has it

    @Test func `all comes from the mirror, and the bundle is the same`() async throws {
        let mirror = try site.mirror("hub/team/app")
        let report = try await site.workshop(with: "\(mirror.address)/hub").bundle([name])
        #expect(report.outcome == .done)
        #expect(report.notes == [])
        #expect(source.registry.requests.isEmpty)
        #expect(report.images.map(\.reference) == [name])
        #expect(report.images.map(\.source) == ["\(mirror.address)/hub/team/app"])
        #expect(Set(report.blobs?.map(\.source) ?? []) == ["\(mirror.address)/hub/team/app"])
        try await site.expectSame()
    }

    @Test func `a file names mirrors as well, after those of the command line`() async throws {
        let (first, second) = (try Source(), try site.mirror())
        let conf = """
            [[registry]]
            location = "\(source.address)"
            [[registry.mirror]]
            location = "\(second.address)"
            """
        let report = try await site.workshop(with: first.address, conf: conf).bundle([name])
        #expect(report.images.map(\.source) == ["\(second.address)/team/app"])
        #expect(first.registry.lines.first == "GET /v2/team/app/manifests/1")
        #expect(source.registry.requests.isEmpty)
        try await site.expectSame()
    }

    @Test func `what is at another location keeps its name`() async throws {
        let other = try site.mirror("moved/app")
        let conf = "[[registry]]\nprefix = \"registry.invalid/team\"\nlocation = \"\(other.address)/moved\""
        let report = try await site.workshop(conf: conf).bundle(["registry.invalid/team/app:1"])
        #expect(report.outcome == .done)
        #expect(report.images.map(\.reference) == ["registry.invalid/team/app:1"])
        #expect(report.images.map(\.source) == ["\(other.address)/moved/app"])
    }

    @Test func `a pull-through mirror fetches for us`() async throws {
        let origin = try await EmbeddedRegistry()
        let name = try origin.add(image, "team/app")
        let mirror = try DockerRegistry(options: .init(upstream: origin.address))
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(origin.address)=\(mirror.address)")]
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message)) \(mirror.log)")
        #expect(report.notes == [])
        #expect(report.images.map(\.source) == ["\(mirror.address)/team/app"])
        #expect(Set(report.blobs?.map(\.source) ?? []) == ["\(mirror.address)/team/app"])
        workshop.connections.mirrors = []
        _ = try await workshop.bundle([name], to: "direct.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "direct.tar"))
    }

    @Test func `a tag means what the first place says that has it`() async throws {
        var builder = ImageBuilder(seed: 711)
        let (mirror, old) = (try Source(), try builder.image())
        try mirror.add(old, "team/app")
        let report = try await site.workshop(with: mirror.address).bundle([name])
        #expect(report.images.map(\.digest) == [old.digest])
        #expect(source.registry.requests.isEmpty)
        // Another tag is not in the mirror at all.
        let other = try source.add(image, "team/app", tag: "2")
        let second = try await site.workshop(with: mirror.address).bundle([other], to: "two.tar")
        #expect(second.images.map(\.digest) == [image.digest])
        #expect(second.images.map(\.source) == ["\(source.address)/team/app"])
    }

    // MARK: - A mirror that has it not

    @Test func `what a mirror has not comes from the source, and that is no trouble`() async throws {
        let missing = image.blobs[1].digest
        let mirror = try site.mirror { $0.path.hasSuffix("\(missing)") ? .error(404, "BLOB_UNKNOWN") : nil }
        let report = try await site.workshop(with: mirror.address).bundle([name])
        #expect(report.outcome == .done)
        #expect(report.notes == [])
        #expect(source.registry.lines == ["GET /v2/team/app/blobs/\(missing)"])
        for blob in report.blobs ?? [] {
            let place = blob.digest == missing ? source.address : mirror.address
            #expect(blob.source == "\(place)/team/app")
        }
        try await site.expectSame()
    }

    @Test func `a mirror that cannot be reached is tried twice and not again`() async throws {
        var workshop = try site.workshop(with: try ScriptedRegistry.refusingAddress())
        workshop.connections.retryLimit = 8
        workshop.connections.parallelism = 1
        let retries = Mutex(0)
        let report = try await workshop.bundle([name]) { event in
            if case .retrying = event { retries.withLock { $0 += 1 } }
        }
        #expect(report.outcome == .done)
        #expect(retries.withLock { $0 } == 1)
        #expect(report.images.map(\.attempts) == [3])
        #expect((report.blobs ?? []).allSatisfy { $0.attempts == 1 && $0.source == "\(source.address)/team/app" })
        #expect(report.notes.count == 1)
        #expect(report.notes[0].contains("connection refused"), "\(report.notes)")
        #expect(report.notes[0].hasSuffix("it was not asked any more"), "\(report.notes)")
        try await site.expectSame()
    }

    /// What a mirror answers to everything.
    @Test(arguments: [
        Answer.error(401, "UNAUTHORIZED"), .error(403, "DENIED"), .error(500, "UNKNOWN"), .error(503, "UNAVAILABLE"),
        Answer.error(429, "TOOMANYREQUESTS").with("Retry-After", "60"), .text("<html>", type: "text/html"),
        Answer().sent(.closedBeforeHead), .redirect(to: "ftp://elsewhere/"),
        Answer(401, headers: [("WWW-Authenticate", "Bearer realm=\"http://token.invalid/\"")]),
    ])
    func `a mirror that fails is passed over and told`(answer: Answer) async throws {
        let mirror = try ScriptedRegistry { _ in answer }
        let report = try await site.workshop(with: mirror.address).bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(report.notes.count == 1)
        #expect(report.notes.first?.hasPrefix("the mirror \(mirror.address) failed: ") == true, "\(report.notes)")
        #expect(report.images.map(\.source) == ["\(source.address)/team/app"])
        try await site.expectSame()
    }

    @Test func `a mirror that is always busy is not asked for everything`() async throws {
        var builder = ImageBuilder(seed: 712)
        let names = try (0..<20).map { try source.add(builder.image(), "app-\($0)") }
        let mirror = try ScriptedRegistry { _ in .error(503, "UNAVAILABLE") }
        var workshop = try site.workshop(with: mirror.address)
        workshop.connections.parallelism = 1
        #expect(try await workshop.bundle(names).outcome == .done)
        #expect(mirror.requests.count == 4)
    }

    @Test func `wrong bytes of a mirror come to nothing`() async throws {
        let (blob, child) = (image.blobs[1], image.children[1])
        let mirror = try site.mirror { request in
            if request.path.hasSuffix("\(blob.digest)") {
                return Answer(body: Array(repeating: 7, count: Int(blob.descriptor.size)))
            }
            return request.path.hasSuffix("\(child.digest)") ? .text("{}", type: "\(child.top.mediaType)") : nil
        }
        let report = try await site.workshop(with: mirror.address).bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(report.blobs?.first { $0.digest == blob.digest }?.source == "\(source.address)/team/app")
        #expect(report.notes.count == 1)
        #expect(
            Set(source.registry.lines) == [
                "GET /v2/team/app/blobs/\(blob.digest)", "GET /v2/team/app/manifests/\(child.digest)",
            ]
        )
        try await site.expectSame()
    }

    @Test func `what breaks off at a mirror is gone on with at the source`() async throws {
        let (origin, behind) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 713)
        let large = try builder.opaqueLayer(byteCount: 3 << 20)
        let image = try builder.image(layers: [large])
        let proxy = try FaultProxy(to: origin.address)
        _ = try behind.add(image, "app")
        let name = try origin.add(image, "app").replacing(origin.address, with: proxy.address)
        let mirror = try FaultProxy(to: behind.address) { request, _ in
            request.path.hasSuffix("\(large.digest)") ? .transfer(.truncated(after: 1 << 20)) : nil
        }
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(proxy.address)=\(mirror.address)")]
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        let requests = proxy.exchanges
        #expect(requests.map(\.request.path) == ["/v2/app/blobs/\(large.digest)"])
        #expect(requests.first?.request.header("Range") != nil)
        #expect(report.blobs?.first { $0.digest == large.digest }?.source == "\(proxy.address)/app")
        workshop.connections.mirrors = []
        _ = try await workshop.bundle([name], to: "direct.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "direct.tar"))
    }

    @Test func `an untrusted mirror is passed over, and one that need not be trusted is not`() async throws {
        let mirror = try await EmbeddedRegistry(options: .init(usesTLS: true))
        _ = try mirror.add(image, "team/app")
        for isInsecure in [false, true] {
            let conf = """
                [[registry]]
                location = "\(source.address)"
                [[registry.mirror]]
                location = "\(mirror.address)"
                insecure = \(isInsecure)
                """
            var workshop = try site.workshop(conf: conf)
            workshop.connections.tlsRegistries = [mirror.address]
            let report = try await workshop.bundle([name], to: "\(isInsecure).tar")
            #expect(report.outcome == .done)
            let place = isInsecure ? mirror.address : source.address
            #expect(report.images.map(\.source) == ["\(place)/team/app"])
            #expect(report.notes.map { $0.contains("the certificate is not trusted") } == (isInsecure ? [] : [true]))
        }
    }
}
