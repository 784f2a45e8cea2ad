import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// No request that is not needed, and everything in the order that keeps a registry whole.
@Suite struct PushRequestTests {
    @Test(arguments: RegistryKind.allCases)
    func `each blob is sent once, other repositories mount it, and a second push asks once a tag`(
        kind: RegistryKind
    ) async throws {
        let (source, target, workshop) = (try await EmbeddedRegistry(), try await kind.start(), try Workshop())
        var builder = ImageBuilder(seed: 60)
        let shared = try builder.layer(byteCount: 20_000)
        let images = try (1...10).map { _ in try builder.image(layers: [shared, builder.layer()]) }
        let names = try images.enumerated().map { try source.add($1, "app-\($0)") }
        _ = try await workshop.bundle(names)

        let report = try await workshop.push(to: target.address)
        #expect(report.failures.map(\.message) == [])
        #expect(report.totals?.uploadCount == 21)
        #expect(report.totals?.mountCount == 9)
        let requests = try await target.finish()
        #expect(requests.count("HEAD", containing: "/manifests/") == 10)
        #expect(requests.count("HEAD", containing: "/blobs/") == 21)
        if kind == .docker {
            // Ours notes no queries.
            #expect(requests.count("POST", containing: "?mount=") == 9)
            #expect(requests.count("POST", containing: "?mount=\(shared.digest)&from=") == 9)
        }
        // A mount is done when it is answered, an upload only opened.
        #expect(requests.filter { $0.status == 201 }.count("POST", containing: "/blobs/uploads/") == 9)
        #expect(requests.filter { $0.status == 202 }.count("POST", containing: "/blobs/uploads/") == 21)
        #expect(requests.count("PUT", containing: "/blobs/uploads/") == 21)
        #expect(requests.count("PUT", containing: "/manifests/") == 10)
        #expect(requests.count == 92)
        #expect(report.totals?.requestCount == requests.count)
        #expect(requests.allSatisfy { $0.method == "HEAD" ? $0.status == 404 : (201...202).contains($0.status) })
        for (number, image) in images.enumerated() { try expect(target.storage, has: image, "app-\(number)", tag: "1") }

        let second = try await kind.start(on: target.storage)
        let again = try await workshop.push(to: second.address)
        #expect(again.totals?.requestCount == 10)
        #expect(again.totals?.uploadCount == 0)
        #expect(Set(again.images.map(\.status)) == [.upToDate])
        #expect(try await second.finish().map(\.method) == Array(repeating: "HEAD", count: 10))
    }

    @Test func `what the registry has already is not sent again`() async throws {
        let (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        let workshop = try Workshop()
        var builder = ImageBuilder(seed: 61)
        let base = try builder.layer(byteCount: 20_000)
        let (old, new) = (try builder.image(layers: [base]), try builder.image(layers: [base, builder.layer()]))
        try target.storage.add(old, repository: "app", tag: "1")
        _ = try await workshop.bundle([try source.add(old, "app", tag: "1"), try source.add(new, "app", tag: "2")])
        let report = try await workshop.push(to: target.address)
        // The image that is there under its tag vouches for its blobs: they are not even asked for.
        #expect(report.images.map(\.status) == [.upToDate, .pushed])
        #expect(report.totals?.uploadCount == 2)
        #expect(report.totals?.requestCount == 2 + 2 + 4 + 1)
        try expect(target.storage, has: new, "app", tag: "2")
    }

    /// The scripted registry notes what it is asked before it answers: that order is what this is about.
    @Test func `children come before their parents, and tags last of all`() async throws {
        let (source, target, workshop) = (try await EmbeddedRegistry(), try Source(), try Workshop())
        var builder = ImageBuilder(seed: 62)
        let leaf = try builder.multiPlatform()
        let top = try builder.index(of: [leaf, builder.image(), builder.index(of: [builder.image(), leaf])])
        _ = try await workshop.bundle([try source.add(top, "app"), try source.add(leaf, "app", tag: "leaf")])
        #expect(try await workshop.push(to: target.address).failures.map(\.message) == [])
        let order = target.content.putOrder(repository: "app")
        #expect(Set(order.suffix(2)) == ["1", "leaf"])
        #expect(Set(order).count == order.count)
        let place = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        for parent in top.documents.dropLast() {
            let own = try #require(place[parent.digest.description])
            let image = try #require(top.beneath.first { $0.digest == parent.digest })
            for child in image.children { #expect(try #require(place[child.digest.description]) < own) }
        }
        let methods = target.registry.requests
        let firstManifest = try #require(methods.firstIndex { $0.method == "PUT" && $0.path.contains("/manifests/") })
        #expect(!methods[firstManifest...].contains { $0.path.contains("/blobs/") })
        try expect(target.content, has: top, "app", tag: "1")
    }

    @Test func `a registry that does not mount gets the blob anew in each repository`() async throws {
        let content = RegistryContent(allowsMount: false)
        let target = try ScriptedRegistry(content.answer)
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 63)
        let shared = try builder.layer()
        let images = try (0..<3).map { _ in try builder.image(layers: [shared]) }
        _ = try await workshop.bundle(try images.enumerated().map { try source.add($1, "app-\($0)") })
        let report = try await workshop.push(to: target.address)
        #expect(report.failures.map(\.message) == [])
        for (number, image) in images.enumerated() { try expect(content, has: image, "app-\(number)", tag: "1") }
        // The upload that a refused mount opens is used; no second one is.
        #expect(target.count("POST") == 3 + 1 + 2)
        #expect(target.count("PUT", containing: "/blobs/") == 3 + 3)
    }
}

extension TestImage {
    /// This image and all beneath it.
    var beneath: [TestImage] { [self] + children.flatMap(\.beneath) }
}
