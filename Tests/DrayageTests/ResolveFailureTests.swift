import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// References that lead nowhere.
@Suite struct ResolveFailureTests {
    @Test func `all failures of a run are told together, and no bundle is written`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        let refusing = try ScriptedRegistry.refusingAddress()
        var builder = ImageBuilder(seed: 80)
        try source.storage.add(try builder.image(), repository: "good", tag: "1")
        let unknown = try builder.image().digest
        let report = try await workshop.bundle([
            "\(source.address)/good:2", "\(source.address)/good:1", "\(source.address)/none:1", "\(refusing)/app:1",
            "\(source.address)/good@\(unknown)",
        ])
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .failed)
        #expect(report.images.isEmpty)
        #expect(
            report.failures.map(\.subject) == [
                "\(source.address)/good:2", "\(source.address)/none:1", "\(refusing)/app:1",
                "\(source.address)/good@\(unknown)",
            ]
        )
        let base = "http://\(source.address)/v2"
        #expect(
            report.failures.map(\.message) == [
                """
                fetching the manifest of \(source.address)/good:2: GET \(base)/good/manifests/2 answered 404: \
                not found (MANIFEST_UNKNOWN: the repository has no such manifest)
                """,
                """
                fetching the manifest of \(source.address)/none:1: GET \(base)/none/manifests/1 answered 404: \
                not found (MANIFEST_UNKNOWN: the repository has no such manifest)
                """,
                """
                fetching the manifest of \(refusing)/app:1: GET http://\(refusing)/v2/app/manifests/1: \
                no connection (connection refused)
                """,
                """
                fetching the manifest of \(source.address)/good@\(unknown): \
                GET \(base)/good/manifests/\(unknown) answered 404: not found (MANIFEST_UNKNOWN: the repository has no such manifest)
                """,
            ]
        )
        #expect(try workshop.scratch.names() == [])
        let requests = try await source.finish()
        // Of the one that is there it is asked what refers to it, and which tags there are.
        #expect(requests.map(\.status).sorted() == [200, 200, 200, 404, 404, 404])
        #expect(!requests.contains { $0.path.contains("/blobs/") })
    }

    @Test func `a bundle without the images that fail is made where that is asked for`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 81)
        let good = [try source.add(builder.image(), "a"), try source.add(builder.multiPlatform(), "b")]
        let report = try await workshop.bundle([good[0], "\(source.address)/none:1", good[1]], keepGoing: true)
        #expect(report.outcome == .partial)
        #expect(report.exitStatus == .partial)
        #expect(report.images.map(\.reference) == good)
        #expect(report.failures.map(\.subject) == ["\(source.address)/none:1"])
        _ = try await workshop.bundle(good, to: "good")
        #expect(try workshop.scratch.read("bundle.tar") == workshop.scratch.read("good"))
        #expect(try workshop.scratch.names() == ["bundle.tar", "good"])
    }

    @Test func `no bundle is made where every image fails`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        let report = try await workshop.bundle(["\(source.address)/a:1", "\(source.address)/b:1"], keepGoing: true)
        #expect(report.outcome == .failed)
        #expect(report.exitStatus == .failed)
        #expect(report.failures.count == 2)
        #expect(try workshop.scratch.names() == [])
    }

    @Test func `a child that is missing fails the images that need it, and no others`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 82)
        let (index, single) = (try builder.multiPlatform(), try builder.image())
        try source.storage.add(index, repository: "index", tag: "1")
        try source.storage.add(single, repository: "single", tag: "1")
        let child = index.children[1].digest
        try source.storage.removeBlob(child)
        let names = ["\(source.address)/index:1", "\(source.address)/single:1"]
        let report = try await workshop.bundle(names, keepGoing: true)
        #expect(report.images.map(\.reference) == [names[1]])
        #expect(report.failures.map(\.subject) == [names[0]])
        #expect(
            report.failures.first?.message.hasPrefix("fetching the manifest of \(source.address)/index@\(child): ")
                == true
        )
    }

    @Test func `images that are asked for with one name and two digests fail, and no others`() async throws {
        let (source, workshop) = (try await EmbeddedRegistry(), try Workshop())
        var builder = ImageBuilder(seed: 83)
        let (old, new) = (try builder.image(), try builder.image())
        try source.add(old, "app")
        let (name, other) = (try source.add(new, "app"), try source.add(builder.image(), "other"))
        let names = [name, "\(name)@\(old.digest)"]
        for keepGoing in [false, true] {
            let report = try await workshop.bundle([names[0], other, names[1]], keepGoing: keepGoing)
            #expect(report.outcome == (keepGoing ? .partial : .failed))
            #expect(report.exitStatus == (keepGoing ? .partial : .failed))
            #expect(report.failures.map(\.subject) == names)
            let digests = [old.digest, new.digest].sorted()
            let message = """
                \(name) is asked for with the digests \(digests[0]) and \(digests[1]); a bundle has one image of a name
                """
            #expect(report.failures.map(\.message) == [message, message])
            #expect(report.images.map(\.reference) == (keepGoing ? [other] : []))
            #expect(try workshop.scratch.names() == (keepGoing ? ["bundle.tar"] : []))
        }
        // With the digest that the tag has, it is one image.
        let report = try await workshop.bundle([name, "\(name)@\(new.digest)"], to: "one.tar")
        #expect(report.images.map(\.reference) == [name])
    }

    @Test func `images that contradict each other on a size fail, and no others`() async throws {
        var builder = ImageBuilder(seed: 84)
        let layer = try builder.layer()
        let image = try builder.image(layers: [layer])
        let size = layer.descriptor.size
        let text = String(decoding: image.document.bytes, as: UTF8.self)
            .replacing("\"size\":\(size)", with: "\"size\":\(size + 1)")
        let source = try Source { request in
            request.path == "/v2/liar/manifests/1" ? .text(text, type: "\(image.top.mediaType)") : nil
        }
        let workshop = try Workshop()
        let names = [
            try source.add(image, "honest"), "\(source.address)/liar:1", try source.add(builder.image(), "other"),
        ]
        let report = try await workshop.bundle(names, keepGoing: true)
        #expect(report.images.map(\.reference) == [names[2]])
        #expect(report.failures.map(\.subject) == [names[0], names[1]])
        for failure in report.failures {
            let sizes = [size, size + 1].map { "\($0) bytes" }
            #expect(failure.message.contains("\(layer.digest) is said to have "), "\(failure.message)")
            #expect(sizes.allSatisfy { failure.message.contains($0) }, "\(failure.message)")
        }
        #expect(source.registry.count("GET", containing: "/blobs/\(layer.digest)") == 0)
        #expect(try await workshop.verify().failures.isEmpty)
    }
}
