import Foundation
import TestSupport
import Testing

/// File systems with too little space.
///
/// They can be made by root only, and not in every container.
@Suite(.enabled(if: MountedFileSystem.isPossible, "mounting needs root")) struct NoSpaceTests {
    private let terminal: Terminal
    private let name: String
    private let source: Source

    init() throws {
        (terminal, source) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 290)
        let layers = try (0..<3).map { _ in try builder.opaqueLayer(byteCount: 1_000_000) }
        name = try source.add(builder.image(layers: layers), "app")
        try FileManager.default.createDirectory(
            atPath: terminal.scratch.path("small"),
            withIntermediateDirectories: true
        )
    }

    private func expectRefusal(_ location: SourceLocation = #_sourceLocation) async throws {
        let outcome = try await terminal.drayage("bundle", name, "-o", "small/bundle.tar")
        #expect(outcome.status == 1, sourceLocation: location)
        let message =
            /error: writing small\/bundle.tar.partial: no space left: it takes 3\.01 MB, the file system has [0-9.]+ [kM]B\n/
        #expect(outcome.errorText.wholeMatch(of: message) != nil, "\(outcome.errorText)", sourceLocation: location)
        #expect(try terminal.scratch.names(in: "small").filter { $0 != "lost+found" } == [], sourceLocation: location)
        // Space is checked before the first blob is asked for.
        #expect(source.registry.count("GET", containing: "/blobs/") == 0, sourceLocation: location)
    }

    @Test func `too little space is found before a blob is fetched`() async throws {
        let mount = try MountedFileSystem(at: terminal.scratch.path("small"), ["-t", "tmpfs", "-o", "size=2m", "none"])
        try await expectRefusal()
        _ = mount
    }

    @Test(.enabled(if: MountedFileSystem.isPossibleOfImages, "loop devices are needed"))
    func `too little space is found without fallocate, too, and enough of it is enough`() async throws {
        let small = try MountedFileSystem.image(
            in: terminal.scratch,
            at: "small",
            byteCount: 2 << 20,
            ["mkfs.ext3", "-q", "-O", "^has_journal"]
        )
        try await expectRefusal()
        #expect(small.usedByteCount(settlingAt: (1 << 20) - 1) < 1 << 20)
        let large = try MountedFileSystem.image(
            in: terminal.scratch,
            at: "large",
            byteCount: 8 << 20,
            ["mkfs.ext3", "-q", "-O", "^has_journal"]
        )
        try await terminal.succeed("bundle", name, "-o", "large/bundle.tar")
        try await terminal.succeed("verify", "large/bundle.tar")
        #expect(large.usedByteCount > 3_000_000)
    }

    @Test func `a limit on the size of files is told, and is not the end of the process`() async throws {
        let command = terminal.command(["bundle", name, "-o", "small/bundle.tar"])
        // Blocks of 1 KiB.
        let limited = Command(
            "bash",
            ["-c", "ulimit -f 1024; exec \"$0\" \"$@\"", command.tool] + command.arguments,
            environment: command.environment,
            directory: command.directory
        )
        expect(
            try await limited.run(),
            status: 1,
            errors: """
                error: writing small/bundle.tar.partial: it takes 3.01 MB, and this process may write files of at most \
                1.05 MB; raise the limit with ulimit -f

                """
        )
        #expect(try terminal.scratch.names(in: "small") == [])
    }
}
