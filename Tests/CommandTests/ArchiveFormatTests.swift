import Foundation
import OCI
import TestSupport
import Testing

/// Bundles are opened as tar, and as nothing else that libarchive knows; no file makes a program run.
///
/// Some of libarchive's filters run a program of the path for a file that begins as one of theirs. Here every such program,
/// and some more, leaves a mark and then gives a whole bundle.
@Suite(.tags(.interop)) struct ArchiveFormatTests {
    private let terminal: Terminal
    private let target: Source
    private let name: String
    private let path: [String: String]

    private static let programs = [
        "lrzip", "lzop", "grzip", "gzip", "gunzip", "zcat", "bzip2", "bunzip2", "xz", "unxz", "lzma", "unlzma", "lzip",
        "zstd", "unzstd", "lz4", "unlz4", "uncompress", "uudecode", "rpm2cpio", "7z", "unzip", "unrar", "lzcat",
    ]

    init() async throws {
        (terminal, target) = (try Terminal(), try Source())
        var builder = ImageBuilder(seed: 850)
        name = try target.add(builder.image(), "app")
        try await terminal.succeed("bundle", name, "-o", "good.tar")
        let scratch = terminal.scratch
        for program in Self.programs {
            let (marks, whole) = (scratch.path("marks"), scratch.path("good.tar"))
            let script = "#!/bin/sh\necho \(program) >>\(marks)\nexec /bin/cat \(whole)\n"
            let file = try scratch.write(script, to: "bin/\(program)")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file)
        }
        let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        path = ["PATH": "\(scratch.path("bin")):\(search)"]
    }

    /// The programs that were run.
    private var marks: Set<String> {
        guard let text = try? terminal.scratch.read("marks") else { return [] }
        return Set(String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    /// What begins as something that libarchive leaves to a program, and then is a whole bundle.
    private static let magic: [String: [UInt8]] = [
        "lrzip": Array("LRZI".utf8) + [0, 6, 0, 0],
        "lzop": [0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a],
        "grzip": Array("GRZipII".utf8) + [0, 2, 4] + Array(":)".utf8),
    ]

    private func write(_ magic: [UInt8], to name: String = "bundle.tar") throws {
        try terminal.scratch.write(magic + terminal.scratch.read("good.tar"), to: name)
    }

    /// Every way in which a command opens a bundle.
    private var commands: [[String]] {
        [
            ["list", "bundle.tar"], ["verify", "bundle.tar"], ["verify", "--deep", "bundle.tar"],
            ["verify", "bundle.tar", "--at", target.address], ["push", "bundle.tar", target.address],
            ["bundle", name, "-o", "new.tar", "--reuse", "bundle.tar"],
            ["prune", target.address, "--keep", "bundle.tar", "--dry-run"], ["prune", ".", "--keep", "bundle.tar"],
            ["serve", "bundle.tar", "--listen", "127.0.0.1:0"],
        ]
    }

    private static let nothing = "it has neither oci-layout nor the manifest.json of docker save; it has no files"

    /// Runs a command on `bundle.tar`, which is no bundle, with the programs first on its path.
    private func expectRefusal(
        _ command: [String],
        _ form: String,
        _ reason: String = "it is no tar file (Unrecognized archive format)"
    ) async throws {
        let before = target.registry.lines.count
        let outcome = try await terminal.command(command, environment: path).run()
        #expect(outcome.status == 1, "\(form): \(command)")
        #expect(outcome.outputText == "", "\(form): \(command)")
        #expect(
            outcome.errorText == "error: reading bundle.tar: \(reason)\n",
            "\(form): \(command)"
        )
        #expect(marks == [], "\(form): \(command)")
        #expect(target.registry.lines.count == before, "\(form): \(command)")
        #expect(!terminal.scratch.contains("new.tar"), "\(form): \(command)")
    }

    @Test func `a reader of every format runs what these files ask for`() async throws {
        for (program, magic) in Self.magic {
            try write(magic, to: "\(program).tar")
            var all = Command("bsdtar", ["-tf", terminal.scratch.path("\(program).tar")], environment: path)
            all.directory = terminal.scratch.path
            _ = try await all.run()
        }
        // Where libarchive was built with a library for lzop, that needs no program.
        #expect(marks.isSuperset(of: ["lrzip", "grzip"]))
    }

    @Test(arguments: magic.keys.sorted())
    func `no command runs a program for a file that asks for it`(program: String) async throws {
        try write(try #require(Self.magic[program]))
        for command in commands { try await expectRefusal(command, program) }
    }

    /// Filters that are none of ours, and that `bsdtar` writes.
    @Test(arguments: ["--bzip2", "--compress", "--lzma", "--lzip", "--lz4", "--uuencode", "--b64encode"])
    func `a bundle that is packed in a way that is not meant is no tar`(option: String) async throws {
        let (whole, packed) = (terminal.scratch.path("good.tar"), terminal.scratch.path("bundle.tar"))
        try Command("bsdtar", ["-c", option, "-f", packed, "@\(whole)"]).check()
        for command in commands.prefix(2) { try await expectRefusal(command, option) }
    }

    /// Other formats that `bsdtar` writes: all of them hold a whole layout.
    @Test(arguments: ["zip", "cpio", "newc", "7zip", "ar", "xar", "mtree", "warc", "shar"])
    func `an archive of another format is no tar`(format: String) async throws {
        let (whole, other) = (terminal.scratch.path("good.tar"), terminal.scratch.path("bundle.tar"))
        try Command("bsdtar", ["-c", "--format", format, "-f", other, "@\(whole)"]).check()
        for command in commands.prefix(2) { try await expectRefusal(command, format) }
    }

    @Test func `the image of a disk is a tar in which nothing is`() async throws {
        let (whole, disk) = (terminal.scratch.path("good.tar"), terminal.scratch.path("bundle.tar"))
        try Command("bsdtar", ["-c", "--format", "iso9660", "-f", disk, "@\(whole)"]).check()
        // It begins with as many zeros as end a tar.
        for command in commands.prefix(2) {
            try await expectRefusal(command, "iso9660", "it is no OCI image layout: \(Self.nothing)")
        }
    }

    /// Formats and filters that nothing here writes, by what they begin with.
    @Test(arguments: [
        ("rar", Array("Rar!\u{1a}\u{7}\u{0}".utf8)), ("rar5", Array("Rar!\u{1a}\u{7}\u{1}\u{0}".utf8)),
        ("cab", Array("MSCF\u{0}\u{0}\u{0}\u{0}".utf8)), ("lha", Array("\u{17}\u{9}-lh5-".utf8)),
        ("rpm", [0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0] + [UInt8](repeating: 0, count: 88)),
    ])
    func `what begins as another format is no tar`(format: String, magic: [UInt8]) async throws {
        try write(magic)
        for command in commands.prefix(2) { try await expectRefusal(command, format) }
    }

    @Test func `no layer makes a program run, whatever its type says`() async throws {
        var builder = ImageBuilder(seed: 851)
        let content = try terminal.scratch.read("good.tar")
        var layers: [TestBlob] = []
        for magic in Self.magic.sorted(by: { $0.key < $1.key }).map(\.value) {
            for suffix in ["tar", "tar+gzip", "tar+zstd"] {
                layers.append(try builder.layer(bytes: magic + content, suffix, content: content))
            }
            // As deep as a second filter would look.
            layers.append(try builder.layer(bytes: Gzip.compress(magic + content), content: content))
            layers.append(try builder.layer(bytes: Zstd.compress(magic + content), "tar+zstd", content: content))
        }
        let image = try target.add(builder.image(layers: layers), "layers")
        try await terminal.succeed("bundle", image, "-o", "layers.tar")
        let command = terminal.command(["verify", "--deep", "layers.tar", "--json"], environment: path)
        let outcome = try await command.run()
        #expect(outcome.status == 3)
        #expect(marks == [])
        // Of each three bytes that are one blob one type is right, and then it does not hold what is said.
        #expect(try ReportDocument(outcome.output).failures.count == layers.count)
    }
}
