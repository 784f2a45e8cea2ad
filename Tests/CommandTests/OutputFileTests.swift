import Foundation
import TestSupport
import Testing

/// Outputs that cannot be written, and those that must not be.
@Suite struct OutputFileTests {
    private let terminal: Terminal
    private let source: Source
    private let name: String

    init() throws {
        (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 280)
        name = try source.add(builder.image(), "app")
    }

    @Test func `an output that exists is kept, unless --force replaces it`() async throws {
        try terminal.scratch.write("precious", to: "bundle.tar")
        expect(
            try await terminal.drayage("bundle", name, "-o", "bundle.tar"),
            status: 1,
            errors: "error: writing bundle.tar: it exists; choose another name, or overwrite it with --force\n"
        )
        #expect(try terminal.scratch.read("bundle.tar") == Array("precious".utf8))
        #expect(source.registry.lines == [])

        // What fails does not cost the file that is there.
        let missing = "\(source.address)/none:1"
        #expect(try await terminal.drayage("bundle", missing, "-o", "bundle.tar", "--force").status == 1)
        #expect(try terminal.scratch.read("bundle.tar") == Array("precious".utf8))

        try await terminal.succeed("bundle", name, "-o", "bundle.tar", "--force")
        try await terminal.succeed("verify", "bundle.tar")
        #expect(try terminal.scratch.names() == ["bundle.tar"])
    }

    /// An output, what is made before, and what is said.
    @Test(arguments: [
        ("none/bundle.tar", "writing none/bundle.tar: its directory none: no such file or directory"),
        ("file/bundle.tar", "writing file/bundle.tar: its directory file: not a directory"),
        ("directory", "writing directory: it is a directory; a bundle is a file"),
        ("/dev/null", "writing /dev/null: it is a device; a bundle is a file"),
        ("link", "writing link: it is a symbolic link; a bundle is a file"),
    ])
    func `an output that cannot be written is named, with and without force`(
        output: String,
        message: String
    ) async throws {
        try terminal.scratch.write("", to: "file")
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("directory"),
            withIntermediateDirectories: true
        )
        try FileManager.default.createSymbolicLink(
            atPath: terminal.scratch.path("link"),
            withDestinationPath: "/nowhere/else"
        )
        for extra in [[], ["--force"]] {
            let outcome = try await terminal.command(["bundle", name, "-o", output] + extra).run()
            #expect(outcome.status == 1)
            #expect(outcome.errorText == "error: \(message)\n")
        }
        #expect(try terminal.scratch.names() == ["directory", "file", "link"])
        #expect(try terminal.scratch.names(in: "directory") == [])
    }

    @Test func `a directory that may not be written to is named`() async throws {
        let directory = terminal.scratch.path("closed")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        chmod(directory, 0o555)
        var command = terminal.command(["bundle", name, "-o", directory + "/bundle.tar"])
        if geteuid() == 0 {
            // Root may write anywhere, but for this.
            command.arguments = ["--bounding-set", "-dac_override", command.tool] + command.arguments
            command.tool = "setpriv"
        }
        expect(
            try await command.run(),
            status: 1,
            errors: "error: writing \(directory)/bundle.tar: its directory \(directory): permission denied\n"
        )
        #expect(try terminal.scratch.names(in: "closed") == [])
    }

    @Test func `a file that another run is filling is refused, with the number of its process`() async throws {
        var builder = ImageBuilder(seed: 281)
        let layer = try builder.opaqueLayer(byteCount: 100_000)
        let slow = try Source { request in
            request.path.hasSuffix("\(layer.digest)")
                ? Answer(body: [UInt8](repeating: 0, count: 100_000)).sent(.dripping) : nil
        }
        let image = try builder.image(layers: [layer])
        let first = try terminal.command(["bundle", slow.add(image, "app"), "-o", "bundle.tar"]).start()
        #expect(first.waitForErrors(containing: "2 blobs"))
        let files = ["bundle.tar.partial", "bundle.tar.partial.journal"]
        #expect(try terminal.scratch.names() == files)
        for extra in [[], ["--force"]] {
            let second = try await terminal.command(["bundle", name, "-o", "bundle.tar"] + extra).run()
            expect(
                second,
                status: 1,
                errors: "error: writing bundle.tar.partial: another run (process \(first.pid)) is filling it\n"
            )
        }
        #expect(try terminal.scratch.names() == files)
        first.signal(SIGINT)
        #expect(first.wait().status == 130)
        // Something had come; it is kept.
        #expect(try terminal.scratch.names() == files)
    }
}
