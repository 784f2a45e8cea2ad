import RegistryTestSupport
import TestSupport
import Testing

@testable import Drayage

@Suite struct NameMappingTests {
    /// A source, a target, and the name without and with `--keep-host`.
    @Test(arguments: [
        ("docker.io/library/alpine", "site:5000", "site:5000/library/alpine", "site:5000/docker.io/library/alpine"),
        ("quay.io/a/b", "site.io/mirror/x", "site.io/mirror/x/a/b", "site.io/mirror/x/quay.io/a/b"),
        ("localhost:5000/a", "site.io", "site.io/a", "site.io/localhost__5000/a"),
        ("127.0.0.1:5000/a", "site.io", "site.io/a", "site.io/127.0.0.1__5000/a"),
        ("[::1]/a", "site.io", "site.io/a", "site.io/z_z_1/a"),
        ("[fd00::1:2]:443/a/b", "[::1]:5000/p", "[::1]:5000/p/a/b", "[::1]:5000/p/fd00_z_1_2__443/a/b"),
        ("a-b.c--d/x", "site.io", "site.io/x", "site.io/a-b.c--d/x"),
    ])
    func `a name is mapped`(source: String, target: String, plain: String, withHost: String) throws {
        let repository = try Reference(parsing: source).repository
        for (keepsHost, expected) in [(false, plain), (true, withHost)] {
            let mapping = NameMapping(target: try RegistryTarget(parsing: target), keepsHost: keepsHost)
            #expect(try mapping.repository(for: repository).description == expected)
        }
    }

    @Test func `a kept host can be told from the path, whatever the host`() throws {
        var generator = SplitMix64(seed: 5)
        let letters = Array("abcdefxyz0123456789")
        func word(_ limit: Int) -> String {
            String(
                (0..<Int.random(in: 1...limit, using: &generator)).map { _ in
                    letters.randomElement(using: &generator) ?? "a"
                }
            )
        }
        func group() -> String { String(UInt16.random(in: 0 ... .max, using: &generator), radix: 16) }
        var hosts = ["[::]", "[::1]", "[1::]", "[::]:1", "z", "localhost", "127.0.0.1"]
        for _ in 0..<2000 {
            let labels = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                [word(5), word(3) + "-" + word(3), word(2) + "--" + word(2)].randomElement(using: &generator) ?? ""
            }
            let left = (0..<Int.random(in: 0...3, using: &generator)).map { _ in group() }.joined(separator: ":")
            let right = (0..<Int.random(in: 0...3, using: &generator)).map { _ in group() }.joined(separator: ":")
            let whole = (0..<8).map { _ in group() }.joined(separator: ":")
            let host = [labels.joined(separator: "."), "[\(left)::\(right)]", "[\(whole)]"].randomElement(
                using: &generator
            )
            let port = Bool.random(using: &generator) ? ":\(UInt16.random(in: 1 ... .max, using: &generator))" : ""
            hosts.append((host ?? "") + port)
        }
        var components: [String: String] = [:]
        for host in Set(hosts) {
            let component = try NameMapping.component(forHost: host)
            #expect(NameMapping.host(forComponent: component) == host)
            // It is a component of a path, and nobody else's.
            #expect(throws: Never.self) { try Repository(registry: "site.io", path: component + "/a") }
            #expect(components.updateValue(host, forKey: component) == nil)
        }
    }

    @Test func `a host in upper case cannot be kept`() throws {
        let repository = try Reference(parsing: "Registry.Site/a").repository
        let target = try RegistryTarget(parsing: "site.io")
        #expect(try NameMapping(target: target).repository(for: repository).description == "site.io/a")
        let error = #expect(throws: DrayageError.self) {
            try NameMapping(target: target, keepsHost: true).repository(for: repository)
        }
        #expect(error?.code == .usage)
        #expect(
            error?.message
                == "the host Registry.Site has upper-case letters, which a repository's path cannot; write it in lower case"
        )
    }

    @Test func `a name that becomes too long names both`() throws {
        let repository = try Reference(parsing: "r.io/" + String(repeating: "a", count: 200)).repository
        let target = try RegistryTarget(parsing: "site.io/" + String(repeating: "b", count: 100))
        let error = #expect(throws: DrayageError.self) { try NameMapping(target: target).repository(for: repository) }
        #expect(error?.code == .usage)
        #expect(error?.message == "naming \(repository) in \(target)")
        #expect((error?.underlying as? ReferenceError)?.code == .nameTooLong)
    }

    @Test func `two sources with one name in the target are refused before a request, unless hosts are kept`()
        async throws
    {
        let workshop = try Workshop()
        let (one, other) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let target = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 20)
        let names = [try one.add(builder.image(), "app"), try other.add(builder.image(), "app")]
        _ = try await workshop.bundle(names)
        let error = await #expect(throws: DrayageError.self) { try await workshop.push(to: target.address) }
        #expect(error?.code == .nameCollision)
        let (first, second) = names[0] < names[1] ? (names[0], names[1]) : (names[1], names[0])
        #expect(
            error?.description == """
                \(first) and \(second) would both become \(target.address)/app:1; --keep-host keeps them apart
                """
        )
        let report = try await workshop.push(to: target.address + "/p", keepHost: true)
        #expect(report.outcome == .done)
        #expect(
            target.storage.repositories()
                == [one, other].map { "p/" + $0.address.replacing(":", with: "__") + "/app" }.sorted()
        )
        // The push that was refused asked for nothing.
        #expect(try await target.finish().count == report.totals?.requestCount)
    }

    @Test func `one repository with two tags from two hosts is no collision`() async throws {
        let workshop = try Workshop()
        let (one, other) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let target = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 21)
        let images = [try builder.image(), try builder.image()]
        _ = try await workshop.bundle([try one.add(images[0], "app"), try other.add(images[1], "app", tag: "2")])
        #expect(try await workshop.push(to: target.address).outcome == .done)
        try expect(target.storage, has: images[0], "app", tag: "1")
        try expect(target.storage, has: images[1], "app", tag: "2")
    }
}
