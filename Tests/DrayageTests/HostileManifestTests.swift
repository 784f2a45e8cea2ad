import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Manifests that are not what they should be: the image fails with the reason, and no file is left.
@Suite struct HostileManifestTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    private func failure(of name: String, _ location: SourceLocation = #_sourceLocation) async throws -> Report.Failure
    {
        let report = try await workshop.bundle([name])
        #expect(report.outcome == .failed, sourceLocation: location)
        #expect(try workshop.scratch.names() == [], sourceLocation: location)
        #expect(report.failures.map(\.subject) == [name], sourceLocation: location)
        return try #require(report.failures.first, sourceLocation: location)
    }

    @Test func `indexes may be nested eight deep and no deeper`() async throws {
        let source = try await EmbeddedRegistry()
        var builder = ImageBuilder(seed: 90)
        let deep = try source.add(builder.nestedIndex(levels: 9), "app", tag: "nine")
        #expect(
            try await failure(of: deep).message == "resolving \(deep): its indexes are nested more than 8 deep"
        )
        let allowed = try source.add(builder.nestedIndex(levels: 8), "app", tag: "eight")
        #expect(try await workshop.bundle([allowed]).outcome == .done)
    }

    @Test func `an image may have ten thousand manifests beneath it and no more`() async throws {
        // One index says so itself; the other has few children, which have too many together.
        let many = (0..<10_001).map { number in
            #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(Self.digest(number))","size":2}"#
        }
        func index(_ children: ArraySlice<String>) throws -> TestDocument {
            let text = #"{"schemaVersion":2,"manifests":[\#(children.joined(separator: ","))]}"#
            return try TestDocument(bytes: Array(text.utf8), mediaType: .ociIndex)
        }
        let whole = try index(many[...])
        let halves = [try index(many[..<5000]), try index(many[5000...])]
        let parents = halves.map { half in
            #"{"mediaType":"\#(MediaType.ociIndex)","digest":"\#(half.digest)","size":\#(half.bytes.count)}"#
        }
        let top = try index(parents[...])
        let source = try Source { request in
            let name = request.path.split(separator: "/").last.map(String.init)
            let documents = [
                "whole": whole, "halves": top, "\(halves[0].digest)": halves[0], "\(halves[1].digest)": halves[1],
            ]
            guard let name, let document = documents[name] else { return nil }
            return Answer(headers: [("Content-Type", MediaType.ociIndex.rawValue)], body: document.bytes)
        }
        let name = "\(source.address)/app"
        #expect(
            try await failure(of: "\(name):whole").message == """
                fetching the manifest of \(name):whole: GET http://\(source.address)/v2/app/manifests/whole answered 200: \
                the image has 10001 manifests; at most 10000 are accepted
                """
        )
        #expect(
            try await failure(of: "\(name):halves").message
                == "resolving \(name):halves: the image has 10003 manifests; at most 10000 are accepted"
        )
        // None of them was asked for.
        #expect(source.registry.requests.count == 4)
    }

    @Test func `a manifest may have four mebibytes and no more`() async throws {
        var builder = ImageBuilder(seed: 91)
        let image = try builder.image(annotations: ["long": String(repeating: "x", count: 4 << 20)])
        let source = try Source()
        let name = try source.add(image, "app")
        #expect(
            try await failure(of: name).message == """
                fetching the manifest of \(name): GET http://\(source.address)/v2/app/manifests/1 answered 200: \
                the manifest has 4194305 bytes; at most 4194304 are accepted
                """
        )
        let missing = image.document.bytes.count - (4 << 20)
        let annotation = ["long": String(repeating: "x", count: (4 << 20) - missing)]
        let fitting = try source.add(
            builder.image(layers: image.layers, annotations: annotation),
            "app",
            tag: "fitting"
        )
        #expect(try await workshop.bundle([fitting]).failures.map(\.message) == [])
    }

    /// What an index says of the size of its child, beside what the child has.
    @Test(arguments: [-1, 1])
    func `a child of another size than its index says is refused`(difference: Int) async throws {
        var builder = ImageBuilder(seed: 92)
        let child = try builder.image()
        let size = child.document.bytes.count
        let text = """
            {"schemaVersion":2,"manifests":[{"mediaType":"\(child.top.mediaType)","digest":"\(child.digest)",\
            "size":\(size + difference)}]}
            """
        let source = try Source { request in
            guard request.path.hasSuffix("/manifests/1") else { return nil }
            return .text(text, type: MediaType.ociIndex.rawValue)
        }
        try source.content.add(child, repository: "app")
        let name = "\(source.address)/app:1"
        let failure = try await failure(of: name)
        #expect(
            failure.message == """
                fetching the manifest of \(source.address)/app@\(child.digest): \
                GET http://\(source.address)/v2/app/manifests/\(child.digest) answered 200: \
                \(size + difference) bytes were expected, \(size) came
                """
        )
    }

    @Test func `a manifest with another digest than was asked for does not verify`() async throws {
        var builder = ImageBuilder(seed: 93)
        let (wanted, given) = (try builder.image(), try builder.image())
        let source = try Source { request in
            guard request.path.hasSuffix("/\(wanted.digest)") else { return nil }
            return Answer(headers: [("Content-Type", "\(given.top.mediaType)")], body: given.document.bytes)
        }
        let name = "\(source.address)/app@\(wanted.digest)"
        let report = try await workshop.bundle([name])
        #expect(report.exitStatus == .unverified)
        #expect(
            report.failures.map(\.message) == [
                """
                fetching the manifest of \(name): GET http://\(source.address)/v2/app/manifests/\(wanted.digest) \
                answered 200: the digest must be \(wanted.digest), but is \(given.digest)
                """
            ]
        )
    }

    @Test func `schema 1 is refused with an explanation`() async throws {
        let type = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        let source = try Source { _ in .text(#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#, type: type) }
        let message = try await failure(of: "\(source.address)/app:1").message
        #expect(
            message.hasSuffix(
                """
                : it is a Docker schema 1 manifest, a form without sizes that registries gave up; push the image again \
                with a Docker of version 1.10 or later to convert it
                """
            )
        )
    }

    private static func digest(_ number: Int) -> String {
        let text = String(number)
        return "sha256:" + String(repeating: "0", count: 64 - text.count) + text
    }
}
