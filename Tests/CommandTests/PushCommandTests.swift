import TestSupport
import Testing

@Suite struct PushCommandTests {
    private let terminal: Terminal
    private let source: Source
    private let target: Source
    private let (app, other): (TestImage, TestImage)

    init() async throws {
        (terminal, source, target) = (try Terminal(), try Source(), try Source())
        var builder = ImageBuilder(seed: 210)
        let layer = try builder.opaqueLayer(byteCount: 1_500_000)
        (app, other) = (try builder.image(layers: [layer]), try builder.image(layers: [layer], command: ["x"]))
        let names = [try source.add(app, "app"), try source.add(other, "other")]
        try await terminal.succeed("bundle", names[0], names[1], "-o", "bundle.tar")
    }

    @Test func `a file becomes images in a registry`() async throws {
        let first = try await terminal.drayage("push", "bundle.tar", target.address)
        expect(
            first,
            status: 0,
            output: """
                pushed  \(target.address)/app:1    \(app.digest)
                pushed  \(target.address)/other:1  \(other.digest)

                """,
            errors: """
                3 blobs, 1.50 MB to go
                \(target.address): 2 images, uploaded 3 blobs (1.50 MB), mounted 1

                """
        )
        #expect(target.content.digest(ofTag: "1", repository: "app") == app.digest)
        #expect(target.content.digest(ofTag: "1", repository: "other") == other.digest)

        let again = try await terminal.drayage("push", "bundle.tar", target.address)
        expect(
            again,
            status: 0,
            output: """
                up-to-date  \(target.address)/app:1    \(app.digest)
                up-to-date  \(target.address)/other:1  \(other.digest)

                """,
            errors: "\(target.address): 2 images, uploaded 0 blobs (0 B), mounted 0\n"
        )
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    @Test func `quiet prints nothing`() async throws {
        expect(try await terminal.drayage("push", "bundle.tar", target.address, "-q"), status: 0, errors: "")
    }

    @Test func `a dry run shows both digests of a tag that would be overwritten, and sends nothing`() async throws {
        try target.add(other, "app")
        let outcome = try await terminal.drayage("push", "bundle.tar", target.address, "--dry-run")
        expect(
            outcome,
            status: 0,
            output: """
                ACTION     REFERENCE\(String(repeating: " ", count: target.address.count - 1))     SIZE  DIGEST
                overwrite  \(target.address)/app:1    1.50 MB  \(other.digest) -> \(app.digest)
                push       \(target.address)/other:1  1.50 MB  \(other.digest)

                """,
            errors: "\(target.address): 2 images, to upload 2 blobs (572 B), to mount 1\n"
        )
        #expect(Set(target.registry.requests.map(\.method)) == ["HEAD"])
    }

    @Test func `a prefix and the source's host become part of the names`() async throws {
        let outcome = try await terminal.drayage(
            "push",
            "bundle.tar",
            "http://\(target.address)/mirror/",
            "--keep-host",
            "--json"
        )
        #expect(outcome.status == 0)
        let host = source.address.replacing(":", with: "__")
        let report = try ReportDocument(outcome.output)
        #expect(report.target == "\(target.address)/mirror")
        #expect(report.images.map(\.target) == ["app", "other"].map { "\(target.address)/mirror/\(host)/\($0):1" })
        #expect(target.content.repositories == ["app", "other"].map { "mirror/\(host)/\($0)" })
    }

    @Test func `a tag that exists ends the push where that was asked for, or is skipped`() async throws {
        try target.add(other, "app")
        let refused = try await terminal.drayage("push", "bundle.tar", target.address, "--on-existing", "fail")
        expect(
            refused,
            status: 1,
            errors:
                "error: \(target.address)/app:1 exists with the digest \(other.digest), the bundle has \(app.digest)\n"
        )
        #expect(Set(target.registry.requests.map(\.method)) == ["HEAD"])
        let skipped = try await terminal.drayage("push", "bundle.tar", target.address, "--on-existing", "skip")
        #expect(skipped.status == 0)
        #expect(skipped.outputText.contains("skipped  \(target.address)/app:1    \(other.digest)\n"))
        #expect(target.content.digest(ofTag: "1", repository: "app") == other.digest)
    }

    @Test func `one image that fails does not stop the others`() async throws {
        let refusing = try Source { request in
            request.path.hasPrefix("/v2/app/manifests/") && request.method == "PUT"
                ? .error(403, "DENIED", "not yours") : nil
        }
        let outcome = try await terminal.drayage("push", "bundle.tar", refusing.address)
        expect(
            outcome,
            status: 2,
            output: """
                failed  \(refusing.address)/app:1    \(app.digest)
                pushed  \(refusing.address)/other:1  \(other.digest)

                """,
            errors: """
                3 blobs, 1.50 MB to go
                error: putting the manifest \(refusing.address)/app:1: PUT http://\(refusing.address)/v2/app/manifests/1 \
                answered 403: access is denied (DENIED: not yours)
                \(refusing.address): 2 images, uploaded 3 blobs (1.50 MB), mounted 1; left out: 1 image

                """
        )
        #expect(refusing.content.digest(ofTag: "1", repository: "app") == nil)
    }

    @Test func `two images with one name are refused, and what keeps them apart is told`() async throws {
        let second = try Source()
        try await terminal.succeed(
            "bundle",
            "\(source.address)/app:1",
            try second.add(other, "app"),
            "-o",
            "two.tar"
        )
        let names = ["\(source.address)/app:1", "\(second.address)/app:1"].sorted()
        let outcome = try await terminal.drayage("push", "two.tar", target.address)
        expect(
            outcome,
            status: 1,
            errors: """
                error: \(names[0]) and \(names[1]) would both become \(target.address)/app:1; --keep-host keeps them apart

                """
        )
        #expect(target.registry.lines == [])
    }
}
