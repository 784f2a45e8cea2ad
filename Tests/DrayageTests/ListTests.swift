import Drayage
import RegistryTestSupport
import TestSupport
import Testing

@Suite struct ListTests {
    @Test func `a bundle is listed with platforms, sizes and digests`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 140)
        let windows = Platform(os: "windows", architecture: "amd64", osVersion: "10.0.17763.1")
        let images = [
            (try builder.multiPlatform(attested: true), "attested", ["linux/amd64", "linux/arm64/v8"]),
            (try builder.artifact(), "chart", nil),
            (try builder.nestedIndex(levels: 2), "nested", ["linux/amd64"]),
            (try builder.image(platform: ImageBuilder.linuxARM64), "single", ["linux/arm64/v8"]),
            (try builder.image(platform: windows), "windows", ["windows/amd64"]),
        ]
        _ = try await workshop.bundle(try images.map { try source.add($0.0, $0.1) })
        let report = try await Lister().list(bundle: workshop.path())
        #expect(report.images.map(\.reference) == images.map { "\(source.address)/\($0.1):1" })
        #expect(report.images.map(\.platforms) == images.map(\.2))
        #expect(report.images.map(\.digest) == images.map(\.0.digest))
        #expect(report.images.map(\.mediaType) == images.map(\.0.document.mediaType))
        let sizes = try images.map { try $0.0.allBytes.values.reduce(0) { $0 + Int64($1.count) } }
        #expect(report.images.map(\.byteCount) == sizes)
        #expect(report.images.allSatisfy { $0.status == .present })
        #expect(try report.bundleByteCount == Int64(workshop.scratch.read("bundle.tar").count))
        #expect(report.outcome == .done)
    }

    @Test func `a registry is listed over all its pages`() async throws {
        let content = RegistryContent(pageSize: 2)
        let registry = try ScriptedRegistry(content.answer)
        let workshop = try Workshop()
        var builder = ImageBuilder(seed: 141)
        let image = try builder.image()
        for number in 1...5 {
            for tag in 1...number { try content.add(image, repository: "app-\(number)", tag: "t\(tag)") }
        }
        let lister = Lister(connections: workshop.connections)
        let all = try await lister.list(target: RegistryTarget(parsing: registry.address))
        #expect(all.repositories?.map(\.repository) == (1...5).map { "app-\($0)" })
        #expect(all.repositories?.map(\.tags) == (1...5).map { (1...$0).map { "t\($0)" } })
        #expect(registry.count("GET", containing: "/v2/_catalog") == 3)
        #expect(all.totals?.requestCount == 3 + 1 + 1 + 2 + 2 + 3)

        let one = try await lister.list(target: RegistryTarget(parsing: registry.address + "/app-3"))
        #expect(one.repositories?.map(\.repository) == ["app-3"])
        #expect(one.repositories?.map(\.tags) == [["t1", "t2", "t3"]])
        #expect(one.totals?.requestCount == 2)
        #expect(one.target == registry.address + "/app-3")
    }

    /// More than a page of docker-registry's.
    @Test(arguments: RegistryKind.allCases)
    func `a real registry is listed`(kind: RegistryKind) async throws {
        let (registry, workshop) = (try await kind.start(), try Workshop())
        var builder = ImageBuilder(seed: 142)
        let image = try builder.image()
        for number in 0..<150 { try registry.storage.add(image, repository: "team/app-\(100 + number)", tag: "1") }
        let lister = Lister(connections: workshop.connections)
        let report = try await lister.list(target: RegistryTarget(parsing: registry.address))
        #expect(report.repositories?.map(\.repository) == (0..<150).map { "team/app-\(100 + $0)" })
        #expect(report.repositories?.allSatisfy { $0.tags == ["1"] } == true)
    }

    @Test func `a repository that was emptied has no tags, one that is asked for by name must be there`() async throws {
        let source = try Source { $0.path == "/v2/gone/tags/list" ? .error(404, "NAME_UNKNOWN", "no such name") : nil }
        let workshop = try Workshop()
        var builder = ImageBuilder(seed: 143)
        try source.add(builder.image(), "gone")
        let lister = Lister(connections: workshop.connections)
        let all = try await lister.list(target: RegistryTarget(parsing: source.address))
        #expect(all.repositories?.map(\.tags) == [[]])
        let one = try await lister.list(target: RegistryTarget(parsing: source.address + "/gone"))
        #expect(one.exitStatus == .failed)
        #expect(one.repositories?.isEmpty == true)
        #expect(
            one.failures.map(\.message) == [
                """
                listing the tags of \(source.address)/gone: GET http://\(source.address)/v2/gone/tags/list answered 404: \
                not found (NAME_UNKNOWN: no such name)
                """
            ]
        )
    }

    @Test func `a repository that cannot be listed does not hide the others`() async throws {
        let source = try Source { $0.path == "/v2/b/tags/list" ? .error(403, "DENIED", "not yours") : nil }
        let workshop = try Workshop()
        var builder = ImageBuilder(seed: 144)
        for name in ["a", "b", "c"] { try source.add(builder.image(), name) }
        let lister = Lister(connections: workshop.connections)
        let report = try await lister.list(target: RegistryTarget(parsing: source.address))
        #expect(report.exitStatus == .partial)
        #expect(report.repositories?.map(\.repository) == ["a", "c"])
        #expect(report.failures.map(\.subject) == ["b"])
        #expect(report.failures.first?.message.hasSuffix("access is denied (DENIED: not yours)") == true)
    }
}
