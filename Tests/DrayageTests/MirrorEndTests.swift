import Drayage
import RegistryTestSupport
import Synchronization
import TestSupport
import Testing

/// How a run with mirrors ends: what is told of failures, what is blocked, and what an interruption leaves.
@Suite(.timeLimit(.minutes(10))) struct MirrorEndTests {
    private let site: MirrorSite
    private var workshop: Workshop { site.workshop }
    private var source: Source { site.source }
    private var image: TestImage { site.image }
    private var name: String { site.name }

    init() throws { site = try MirrorSite() }

    @Test func `where all fail the source's failure is told, and the mirrors'`() async throws {
        let mirror = try ScriptedRegistry { _ in .error(500, "UNKNOWN") }
        let (missing, workshop) = ("\(source.address)/none:1", try site.workshop(with: mirror.address))
        let report = try await workshop.bundle([missing])
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .failed)
        let message = try #require(report.failures.first?.message)
        #expect(message.hasPrefix("fetching the manifest of \(missing): "), "\(message)")
        #expect(message.contains("answered 404: not found"), "\(message)")
        #expect(
            message.contains("; the mirror before it failed too: fetching the manifest of \(mirror.address)/none:1: "),
            "\(message)"
        )
        #expect(report.notes == [])
    }

    @Test func `a blob that nobody gives has all causes in its record`() async throws {
        let bad = image.blobs[0].digest
        let refusing = try Source { $0.path.hasSuffix("\(bad)") ? .error(403, "DENIED") : nil }
        let name = try refusing.add(image, "team/app")
        let mirror = try site.mirror { $0.path.hasSuffix("\(bad)") ? .error(500, "UNKNOWN") : nil }
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(refusing.address)=\(mirror.address)")]
        let report = try await workshop.bundle([name])
        #expect(report.exitStatus == .unauthorized)
        let blob = try #require(report.blobs?.first { $0.digest == bad })
        #expect(blob.status == .failed)
        #expect(blob.source == "\(refusing.address)/team/app")
        #expect(blob.cause?.contains("answered 403") == true, "\(blob.cause ?? "")")
        #expect(blob.cause?.contains("the mirror before it failed too: ") == true, "\(blob.cause ?? "")")
    }

    @Test func `a registry that is a mirror and a source is tried as each of them is`() async throws {
        let failures = Mutex<[String: Int]>([:])
        let both = try Source { request in
            guard request.path.contains("/manifests/1") else { return nil }
            let count = failures.withLock { failures in
                failures[request.path, default: 0] += 1
                return failures[request.path] ?? 0
            }
            return count <= 2 ? .error(503, "UNAVAILABLE") : nil
        }
        try both.add(image, "team/app")
        let own = try both.add(image, "own/app")
        var workshop = try site.workshop(with: both.address)
        workshop.connections.retryLimit = 3
        let report = try await workshop.bundle([name, own])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        // The mirror is not waited for, and the source is.
        #expect(report.images.map(\.source) == ["\(source.address)/team/app", "\(both.address)/own/app"].sorted())
        #expect(failures.withLock { $0 } == ["/v2/team/app/manifests/1": 2, "/v2/own/app/manifests/1": 3])
    }

    @Test func `what is broken in one part of a mirror is not in the other`() async throws {
        let other = try source.add(image, "other/app")
        let mirror = try Source { $0.path.hasPrefix("/v2/bad/") ? .error(500, "UNKNOWN") : nil }
        try mirror.add(image, "good/app")
        var workshop = workshop
        let names = (1...8).map { "\(source.address)/team/app-\($0):1" }
        for number in 1...8 { _ = try source.add(image, "team/app-\(number)") }
        workshop.connections.parallelism = 1
        workshop.connections.mirrors = try ["team=\(mirror.address)/bad", "other=\(mirror.address)/good"].map {
            try RegistryMirror(parsing: "\(source.address)/\($0)")
        }
        let report = try await workshop.bundle(names + [other])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(mirror.registry.count("GET", containing: "/bad/") == 4)
        #expect(report.images.map(\.source).contains("\(mirror.address)/good/app"))
        #expect(report.notes.count == 1)
        #expect(report.notes.first?.hasPrefix("the mirror \(mirror.address)/bad failed: ") == true, "\(report.notes)")
    }

    @Test func `what is blocked fails, and the rest does not`() async throws {
        let other = try source.add(image, "bad/app")
        let conf = "[[registry]]\nlocation = \"\(source.address)/bad\"\nblocked = true"
        let workshop = try site.workshop(conf: conf)
        let report = try await workshop.bundle([name, other], keepGoing: true)
        #expect(report.outcome == .partial)
        #expect(report.images.map(\.reference) == [name])
        #expect(
            report.failures.map(\.message) == [
                "\(other): \(workshop.path("conf/registries.conf")) blocks what begins with \(source.address)/bad"
            ]
        )
        #expect(source.registry.count("GET", containing: "/bad/") == 0)
    }

    @Test func `a file that cannot be read is an error before anything is asked for`() async throws {
        let workshop = try site.workshop(conf: "[[registry]]\nlocation = ")
        let error = await #expect(throws: (any Error).self) { try await workshop.bundle([name]) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix("reading the mirrors in \(workshop.path("conf/registries.conf")): line 2"), "\(text)")
        #expect(source.registry.requests.isEmpty)
        #expect(try workshop.scratch.names() == ["conf"])
    }

    @Test func `a cancellation ends it at once, and nobody else is asked`() async throws {
        let mirror = try ScriptedRegistry { _ in Answer().sent(.stalledBeforeHead) }
        let workshop = try site.workshop(with: mirror.address)
        let task = Task { [name] in try await workshop.bundle([name]) }
        try await until { !mirror.requests.isEmpty }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(source.registry.requests.isEmpty)
    }

    @Test func `credentials go to their own registry alone`() async throws {
        let (one, two) = (TestSecrets.user("one").password, TestSecrets.user("two").password)
        func guarded(_ user: String, hasBlobs: Bool) throws -> (Source, TokenIssuer) {
            let issuer = TokenIssuer(user: (user, user == "one" ? one : two))
            let check = issuer.guarding { _ in Answer(299) }
            let source = try Source { request in
                let answer = check(request)
                if answer.status != 299 { return answer }
                return hasBlobs || !request.path.contains("/blobs/") ? nil : .error(404, "BLOB_UNKNOWN")
            }
            return (source, issuer)
        }
        // The mirror has the manifests, and the blobs are elsewhere.
        let (source, sourceIssuer) = try guarded("one", hasBlobs: true)
        let (mirror, mirrorIssuer) = try guarded("two", hasBlobs: false)
        let name = try source.add(image, "team/app")
        try mirror.add(image, "team/app")
        var workshop = workshop
        workshop.connections.mirrors = [try RegistryMirror(parsing: "\(source.address)=\(mirror.address)")]
        workshop.connections.setCredentials(username: "one", password: one, for: source.address)
        workshop.connections.setCredentials(username: "two", password: two, for: mirror.address)
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(report.images.map(\.source) == ["\(mirror.address)/team/app"])
        for (registry, own, other) in [(source, sourceIssuer, mirrorIssuer), (mirror, mirrorIssuer, sourceIssuer)] {
            #expect(!own.issued.isEmpty)
            let foreign = Set(other.issued.flatMap { [$0.authorization, "Bearer \($0.text)"] }.compactMap(\.self))
                .subtracting(own.issued.map { "Bearer \($0.text)" })
            for request in registry.registry.requests {
                #expect(request.header("Authorization").map { !foreign.contains($0) } ?? true)
            }
        }
    }

    // MARK: - Interruptions

    @Test func `a bundle that goes on does not ask a mirror again and again that is of no use`() async throws {
        let isStalling = Flag()
        var builder = ImageBuilder(seed: 715)
        let large = try builder.opaqueLayer(byteCount: 1 << 20)
        let stalling = try Source {
            $0.path.hasSuffix("\(large.digest)") && isStalling.isSet ? Answer().sent(.stalledBeforeHead) : nil
        }
        var names: [String] = []
        for number in 1...8 { names.append(try stalling.add(builder.image(layers: [large]), "app-\(number)")) }
        isStalling.set(true)
        let (begun, list) = (workshop, names)
        let task = Task { try await begun.bundle(list) }
        try await until { stalling.registry.requests.contains { $0.path.hasSuffix("\(large.digest)") } }
        // Something must be there to go on with.
        try await until { begun.scratch.contains("bundle.tar.partial.journal") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        isStalling.set(false)
        let mirror = try ScriptedRegistry { _ in .error(500, "UNKNOWN") }
        var continued = workshop
        continued.connections.parallelism = 1
        continued.connections.mirrors = [try RegistryMirror(parsing: "\(stalling.address)=\(mirror.address)")]
        let report = try await continued.bundle(names)
        #expect(report.outcome == .done, "\(report.failures.map(\.message))")
        #expect(mirror.requests.count == 4)
    }

    @Test func `a bundle goes on without the mirror that it was begun with, and the other way round`() async throws {
        let (origin, behind) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 714)
        let large = try builder.opaqueLayer(byteCount: 3 << 20)
        let image = try builder.image(layers: [large])
        let isStalling = Flag()
        func stalling(_ registry: EmbeddedRegistry) throws -> FaultProxy {
            try FaultProxy(to: registry.address) { request, _ in
                let stalls = isStalling.isSet && request.path.hasSuffix("\(large.digest)")
                return stalls ? .transfer(.stalled(after: 1 << 20)) : nil
            }
        }
        let (source, mirror) = (try stalling(origin), try stalling(behind))
        _ = try behind.add(image, "app")
        let name = try origin.add(image, "app").replacing(origin.address, with: source.address)
        for beginsWithMirror in [true, false] {
            var (begun, continued) = (workshop, workshop)
            let mirrors = [try RegistryMirror(parsing: "\(source.address)=\(mirror.address)")]
            if beginsWithMirror { begun.connections.mirrors = mirrors } else { continued.connections.mirrors = mirrors }
            let file = "\(beginsWithMirror).tar"
            let advanced = Mutex<Int64>(0)
            isStalling.set(true)
            let task = Task { [begun] in
                try await begun.bundle([name], to: file) { event in
                    if case .blobAdvanced(large.digest, let count) = event { advanced.withLock { $0 += count } }
                }
            }
            try await until { advanced.withLock { $0 } == 1 << 20 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            isStalling.set(false)
            let report = try await continued.bundle([name], to: file)
            #expect(report.outcome == .done, "\(report.failures.map(\.message))")
            #expect(report.totals?.keptByteCount.map { $0 > 900_000 } == true)
            let place = beginsWithMirror ? source.address : mirror.address
            #expect(report.blobs?.first { $0.digest == large.digest }?.source == "\(place)/app")
        }
        #expect(workshop.scratch.sameContent("true.tar", "false.tar"))
    }
}
