import Foundation
import OCI
import TestSupport
import Testing

/// Files that are no bundles, or not any more.
///
/// Each command that reads one says so, and nothing is sent or written.
@Suite struct BadBundleTests {
    private let terminal: Terminal
    private let target: Source
    private let image: TestImage
    private let name: String

    init() async throws {
        (terminal, target) = (try Terminal(), try Source())
        let source = try Source()
        var builder = ImageBuilder(seed: 300)
        image = try builder.image(layers: [builder.opaqueLayer(byteCount: 20_000)])
        name = try source.add(image, "app")
        try await terminal.succeed("bundle", name, "-o", "good.tar")
    }

    private var good: [UInt8] { get throws { try terminal.scratch.read("good.tar") } }

    private var files: [TarBytes.File] {
        get throws {
            let bytes = try good
            return TarBytes.entries(of: bytes).map { TarBytes.File($0.path, Array(bytes[$0.range])) }
        }
    }

    /// Lets every command that reads a bundle read it.
    private func expect(
        status: Int32,
        _ message: String,
        commands: [[String]] = [["list"], ["verify"], ["push"], ["verify", "--at"]],
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        for command in commands {
            var arguments = [command[0], "bundle.tar"] + command.dropFirst()
            if arguments.last == "--at" || command == ["push"] { arguments.append(target.address) }
            let outcome = try await terminal.command(arguments).run()
            #expect(outcome.status == status, "\(arguments)", sourceLocation: location)
            #expect(outcome.outputText == "", "\(arguments)", sourceLocation: location)
            let errors = outcome.errorText.split(separator: "\n").filter { $0.hasPrefix("error: ") }
            #expect(errors == ["error: \(message)"], "\(arguments)", sourceLocation: location)
        }
        #expect(target.registry.lines == [], sourceLocation: location)
        #expect(try terminal.scratch.names() == ["bundle.tar", "good.tar"], sourceLocation: location)
    }

    @Test func `a bundle that is cut off in a blob`() async throws {
        let bytes = try good
        try terminal.scratch.write(bytes.dropLast(10_000), to: "bundle.tar")
        let entry = try #require(TarBytes.entries(of: bytes).last)
        try await expect(
            status: 3,
            """
            reading bundle.tar: entry \(entry.path): it is truncated: it has \(bytes.count - 10_000) bytes \
            and must have at least \(entry.range.upperBound + TarBytes.padding(after: entry.range.count))
            """
        )
    }

    @Test func `a bundle that is cut off in a header`() async throws {
        let entry = try #require(TarBytes.entries(of: try good).last)
        try terminal.scratch.write(try good.prefix(entry.range.lowerBound - 200), to: "bundle.tar")
        let outcome = try await terminal.drayage("verify", "bundle.tar")
        #expect(outcome.status == 3)
        #expect(outcome.errorText.hasPrefix("error: reading bundle.tar: "), "\(outcome.errorText)")
        #expect(outcome.errorText.contains("Truncated"), "\(outcome.errorText)")
    }

    @Test func `a bundle with a flipped byte in a manifest`() async throws {
        var files = try files
        let place = try #require(files.firstIndex { $0.path.hasSuffix(image.digest.hex) })
        files[place].bytes[20] ^= 1
        try terminal.scratch.write(TarBytes.archive(files), to: "bundle.tar")
        let actual = try Digest.of(files[place].bytes)
        try await expect(
            status: 3,
            """
            reading bundle.tar: what should be \(image.digest) is \(actual), \
            needed by \(name)
            """
        )
    }

    @Test func `a bundle with a flipped byte in a layer, which only reading it all finds`() async throws {
        var bytes = try good
        let entry = try #require(TarBytes.entries(of: bytes).last)
        bytes[entry.range.lowerBound + 5000] ^= 0x80
        try terminal.scratch.write(bytes, to: "bundle.tar")
        let actual = try Digest.of(Array(bytes[entry.range]))
        try await expect(
            status: 3,
            "reading bundle.tar: what should be \(image.layers[0].digest) is \(actual)",
            commands: [["verify"]]
        )
        // The registry finds it as well: it takes no bytes that are not what their digest says.
        let outcome = try await terminal.drayage("push", "bundle.tar", target.address)
        #expect(outcome.status == 3)
        let message = "error: reading bundle.tar: what should be \(image.layers[0].digest) is \(actual)"
        #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        #expect(target.content.digest(ofTag: "1", repository: "app") == nil)
    }

    @Test func `a bundle without one of its blobs`() async throws {
        let layer = image.layers[0].digest
        try terminal.scratch.write(
            TarBytes.archive(try files.filter { !$0.path.hasSuffix(layer.hex) }),
            to: "bundle.tar"
        )
        try await expect(status: 3, "reading bundle.tar: \(layer) is missing, needed by \(name)")
    }

    @Test func `a bundle with an entry twice`() async throws {
        let files = try files
        let twice = try #require(files.last)
        try terminal.scratch.write(TarBytes.archive(files + [twice]), to: "bundle.tar")
        try await expect(status: 3, "reading bundle.tar: entry \(twice.path): it is there twice")
    }

    /// Paths that lead out of the bundle.
    @Test(arguments: ["../etc/passwd", "blobs/../../x", "/etc/passwd", "blobs/sha256/.."])
    func `a bundle with a path that leads out of it`(path: String) async throws {
        try terminal.scratch.write(TarBytes.archive(try files + [.init(path, [1])]), to: "bundle.tar")
        try await expect(status: 1, "reading bundle.tar: entry \(path): the path leads out of the bundle")
    }

    @Test func `a file that is no tar`() async throws {
        for bytes in [Array("not a tar at all\n".utf8), RandomBytes.make(count: 5000, seed: 1)] {
            try terminal.scratch.write(bytes, to: "bundle.tar")
            try await expect(status: 1, "reading bundle.tar: it is no tar file (Unrecognized archive format)")
        }
    }

    @Test func `a tar that is no bundle`() async throws {
        try terminal.scratch.write(TarBytes.archive([.init("etc/motd", [1])]), to: "bundle.tar")
        try await expect(
            status: 1,
            """
            reading bundle.tar: it is no OCI image layout: it has neither oci-layout nor the manifest.json of docker save; \
            it has etc/motd
            """
        )
    }

    @Test func `an empty file`() async throws {
        try terminal.scratch.write("", to: "bundle.tar")
        let outcome = try await terminal.drayage("verify", "bundle.tar")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.hasPrefix("error: reading bundle.tar: "), "\(outcome.errorText)")
    }

    /// What tells gzip from something else is there, and what follows is not.
    @Test(arguments: [
        ("gzip", "it ends early"), ("zstd", "Truncated zstd input"),
        ("xz", "Lzma library error:  No progress is possible"),
    ])
    func `a compressed bundle that is cut off`(tool: String, reason: String) async throws {
        let arguments = tool == "zstd" ? ["-qc"] : ["-c"]
        let packed = try Command(tool, arguments + [terminal.scratch.path("good.tar")]).check().output
        try terminal.scratch.write(packed.dropLast(packed.count / 2), to: "bundle.tar")
        try await expect(status: 3, "reading bundle.tar: it does not decompress with \(tool) (\(reason))")
    }

    @Test func `a bundle without a named image cannot be pushed`() async throws {
        let index = Array(#"{"schemaVersion":2,"manifests":[]}"#.utf8)
        // Without Docker's own list, which would be read instead.
        let files = try files.filter { $0.path != "manifest.json" }
            .map { $0.path == "index.json" ? TarBytes.File($0.path, index) : $0 }
        try terminal.scratch.write(TarBytes.archive(files), to: "bundle.tar")
        try await expect(
            status: 1,
            "bundle.tar holds no image with a name, so there is no name to give it",
            commands: [["push"]]
        )
    }
}
