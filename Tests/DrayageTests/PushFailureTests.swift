import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// A registry that refuses a part: the rest arrives, and no tag of what is not whole appears.
@Suite struct PushFailureTests {
    private let workshop: Workshop
    private let source: EmbeddedRegistry
    private let (bad, good, index): (TestImage, TestImage, TestImage)

    /// `bad:1` and `index:1` need one layer; `good:1` does not.
    init() async throws {
        (workshop, source) = (try Workshop(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 110)
        let layer = try builder.layer()
        bad = try builder.image(layers: [layer])
        good = try builder.image()
        index = try builder.multiPlatform(sharing: [layer])
        let names = [try source.add(bad, "bad"), try source.add(good, "good"), try source.add(index, "index")]
        _ = try await workshop.bundle(names)
    }

    @Test func `an upload that is refused stops the images that need it, and no others`() async throws {
        let digest = bad.layers[0].digest
        let target = try Source { request in
            let isUpload = request.method == "PUT" && request.query["digest"] == digest.description
            return isUpload ? .error(500, "UNKNOWN", "disk \\u001b[31mfull") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .partial)
        #expect(report.exitStatus == .partial)
        #expect(report.images.map(\.status) == [.failed, .pushed, .failed])
        #expect(report.failures.map(\.subject) == ["\(target.address)/bad:1", "\(target.address)/index:1"])
        let message = try #require(report.failures.first?.message)
        #expect(
            message.hasPrefix(
                "uploading the blob \(target.address)/bad@\(digest): PUT http://\(target.address)/v2/bad/"
            )
        )
        #expect(message.hasSuffix(#" answered 500: UNKNOWN: disk \u{1B}[31mfull"#))
        #expect(Set(report.failures.map(\.message)).count == 1)
        try expect(target.content, has: good, "good", tag: "1")
        #expect(target.content.digest(ofTag: "1", repository: "bad") == nil)
        #expect(target.content.digest(ofTag: "1", repository: "index") == nil)
        #expect(!target.content.putOrder(repository: "index").contains(index.digest.description))
    }

    @Test func `a manifest that is refused takes its parents with it`() async throws {
        let child = index.children[0].digest
        let target = try Source { request in
            request.method == "PUT" && request.path.hasSuffix("/manifests/\(child)")
                ? .error(400, "MANIFEST_INVALID", "not today") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.images.map(\.status) == [.pushed, .pushed, .failed])
        #expect(
            report.failures.map(\.message) == [
                """
                putting the manifest \(target.address)/index@\(child): \
                PUT http://\(target.address)/v2/index/manifests/\(child) answered 400: MANIFEST_INVALID: not today
                """
            ]
        )
        #expect(target.content.putOrder(repository: "index") == [index.children[1].digest.description])
    }

    @Test func `the next push sends only what is missing`() async throws {
        let refusing = Flag()
        let digest = bad.layers[0].digest
        let target = try Source { request in
            refusing.isSet && request.method == "PUT" && request.query["digest"] == digest.description
                ? .error(503, "UNAVAILABLE") : nil
        }
        refusing.set(true)
        #expect(try await workshop.push(to: target.address).outcome == .partial)
        refusing.set(false)
        let report = try await workshop.push(to: target.address)
        #expect(report.images.map(\.status) == [.pushed, .upToDate, .pushed])
        #expect(report.totals?.uploadCount == 1)
        try expect(target.content, has: bad, "bad", tag: "1")
        try expect(target.content, has: index, "index", tag: "1")
    }

    @Test(arguments: RegistryKind.allCases)
    func `every image fails with its own reason where the registry is read only`(kind: RegistryKind) async throws {
        let target = try await kind.start(.init(isReadOnly: true))
        let report = try await workshop.push(to: target.address)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .failed)
        #expect(report.images.map(\.status) == [.failed, .failed, .failed])
        #expect(report.failures.map { $0.message.contains(" answered 405: ") } == [true, true, true])
        #expect(target.storage.repositories() == [])
    }

    @Test func `a registry that is not there fails once, before anything is sent`() async throws {
        let address = try ScriptedRegistry.refusingAddress()
        let error = await #expect(throws: (any Error).self) { try await workshop.push(to: address) }
        let message = try #require(error.map { "\($0)" })
        #expect(message.hasPrefix("looking up \(address)/"))
        #expect(message.hasSuffix("no connection (connection refused)"))
    }

    @Test func `one repository that cannot be looked into does not stop the others`() async throws {
        let target = try Source { request in
            request.path.hasPrefix("/v2/bad/") ? .error(403, "DENIED", "not yours") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.images.map(\.status) == [.failed, .pushed, .pushed])
        #expect(
            report.failures.map(\.message) == [
                """
                looking up \(target.address)/bad:1: HEAD http://\(target.address)/v2/bad/manifests/1 answered 403: \
                access is denied
                """
            ]
        )
        try expect(target.content, has: index, "index", tag: "1")
    }

    @Test func `a repository that takes nothing does not keep a shared blob from the others`() async throws {
        let target = try Source { request in
            request.method == "POST" && request.path.hasPrefix("/v2/bad/") ? .error(403, "DENIED", "not yours") : nil
        }
        let report = try await workshop.push(to: target.address)
        #expect(report.images.map(\.status) == [.failed, .pushed, .pushed])
        #expect(report.failures.map { $0.message.hasSuffix("access is denied (DENIED: not yours)") } == [true])
        try expect(target.content, has: index, "index", tag: "1")
        #expect(target.content.digest(ofTag: "1", repository: "bad") == nil)
    }

    @Test func `a bundle that is cut off is not pushed`() async throws {
        let target = try await EmbeddedRegistry()
        let bytes = try workshop.scratch.read("bundle.tar")
        try workshop.scratch.write(bytes.dropLast(3000), to: "short.tar")
        let error = await #expect(throws: (any Error).self) { try await workshop.push("short.tar", to: target.address) }
        #expect(error.map { ExitStatus(of: $0) } == .unverified)
        #expect(try await target.finish() == [])
    }
}
