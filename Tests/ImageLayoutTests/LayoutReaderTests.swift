import Archive
import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Bundles that cannot be opened at all.
@Suite struct LayoutReaderTests {
    let scratch: ScratchDirectory
    let image: NamedImages

    init() throws {
        scratch = try ScratchDirectory()
        var builder = ImageBuilder(seed: 1)
        image = try NamedImages([("r.example/a:1", builder.image())])
    }

    private var path: String { scratch.path("bundle.tar") }

    private func failure(_ bundle: [UInt8]) throws -> LayoutError {
        try scratch.write(bundle, to: "bundle.tar")
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(error.path == path)
        return error
    }

    // MARK: - What others write

    @Test(.tags(.interop)) func `a directory that bsdtar packed is read`() throws {
        let files = try layoutFiles(image)
        for (name, bytes) in files { try scratch.write(bytes, to: "layout/\(name)") }
        try scratch.write("not ours", to: "layout/README")
        try scratch.write("no digest", to: "layout/blobs/sha256/notes")
        try Command("bsdtar", ["-cf", path, "-C", scratch.path("layout"), "."]).check()
        let reader = try LayoutReader(path: path)
        #expect(reader.images.map(\.name) == ["r.example/a:1"])
        #expect(reader.problems.isEmpty)
        for blob in reader.blobs { try reader.verify(blob) }
    }

    @Test func `images have the name that containerd gives them, else the one of the specification`() throws {
        let top = image.images[0].image.top
        let descriptor = #""mediaType":"\#(top.mediaType)","digest":"\#(top.digest)","size":\#(top.size)"#
        let annotations = [
            #","annotations":{"org.opencontainers.image.ref.name":"3.20"}"#, "",
            #","annotations":{"org.opencontainers.image.ref.name":"1","io.containerd.image.name":"r.example/full:1"}"#,
            #","annotations":{"org.opencontainers.image.ref.name":"3.20"}"#, #","annotations":{"other":"x"}"#,
        ]
        var files = try layoutFiles(image)
        let index = annotations.map { "{\(descriptor)\($0)}" }.joined(separator: ",")
        files[1].1 = Array(#"{"schemaVersion":2,"manifests":[\#(index)]}"#.utf8)
        try scratch.write(handmadeBundle(files), to: "bundle.tar")
        let reader = try LayoutReader(path: path)
        #expect(reader.images.map(\.name) == ["3.20", "r.example/full:1"])
        #expect(reader.unnamed.map(\.digest) == [top.digest, top.digest])
        #expect(reader.problems.isEmpty)
    }

    // MARK: - No bundle at all

    @Test func `a file that is not there, or no file, is told so`() throws {
        let missing = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(missing.code == .system(operation: "opening it", errno: ENOENT))
        #expect(missing.description == "reading \(path): opening it: no such file or directory")
        let directory = try #require(throws: LayoutError.self) { try LayoutReader(path: scratch.path) }
        #expect(directory.code == .notLayout(reason: "it has no oci-layout"))
        #expect(mkfifo(path, 0o600) == 0)
        let pipe = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(pipe.code == .notRegularFile(kind: "a pipe"))
        #expect(pipe.description == "reading \(path): it is a pipe; a bundle is a file")
    }

    @Test(arguments: [0, 10, 512, 100_000])
    func `random bytes are no bundle`(count: Int) throws {
        let error = try failure(RandomBytes.make(count: count, seed: 1))
        guard case .archive(let cause) = error.code, case .notTar = cause.code else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.hasPrefix("reading \(path): it is no tar file"))
        #expect(!error.isContentDamage)
    }

    @Test func `what is no image layout is told so`() throws {
        let files = try layoutFiles(image)
        let blobs = Array(files.dropFirst(2))
        let neither = "it has neither oci-layout nor the manifest.json of docker save; it has "
        #expect(try failure(handmadeBundle([])).code == .notLayout(reason: neither + "no files"))
        let found = "\(blobs[0].0) and \(blobs.count - 1) more"
        #expect(try failure(handmadeBundle(blobs)).code == .notLayout(reason: neither + found))
        #expect(try failure(handmadeBundle([files[0]] + blobs)).code == .notLayout(reason: "it has no index.json"))
    }

    @Test(arguments: [
        (0, #"{"imageLayoutVersion":"2.0.0"}"#, LayoutError.Code.unsupportedVersion("2.0.0")),
        (0, #"{"imageLayoutVersion":"1.10.0"}"#, .unsupportedVersion("1.10.0")),
        (0, "{}", .unreadable(reason: "imageLayoutVersion is missing")), (0, "", .unreadable(reason: "it is not JSON")),
        (0, String(repeating: " ", count: 70_000), .tooManyBytes(70_000, limit: 65_536)),
        (1, "[]", .unreadable(reason: "it has the wrong type")),
        (1, #"{"schemaVersion":2}"#, .unreadable(reason: "manifests is missing")),
        (
            1, #"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:00","size":1}]}"#,
            .unreadable(reason: "digest: \"sha256:00\" is not a valid reference")
        ),
    ])
    func `a layout's own files must make sense`(file: Int, content: String, expected: LayoutError.Code) throws {
        var files = try layoutFiles(image)
        files[file].1 = Array(content.utf8)
        let error = try failure(handmadeBundle(files))
        if case .unreadable(let reason) = expected, case .unreadable(let actual) = error.code {
            #expect(actual.hasPrefix(reason))
        } else {
            #expect(error.code == expected)
        }
        if case .unsupportedVersion = expected { return }
        #expect(error.entry == ["oci-layout", "index.json"][file])
    }

    @Test func `an index beyond the limit is refused before it is read`() throws {
        let header = TarBytes.header(path: "index.json", byteCount: 65 << 20)
        let marker = TarBytes.archive([TarBytes.File("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))])
        try scratch.write(marker.dropLast(1024) + header, to: "bundle.tar")
        #expect(truncate(path, 2048 - 512 + 65 << 20 + 1024) == 0)
        let error = try #require(throws: LayoutError.self) { try LayoutReader(path: path) }
        #expect(error.code == .tooManyBytes(65 << 20, limit: LayoutReader.indexByteLimit))
        #expect(error.entry == "index.json")
    }

    // MARK: - Entries

    @Test(arguments: ["/etc/passwd", "../up", "blobs/../../up", "blobs//x", "a/..", "..", ".", "../\u{301}up"])
    func `a path that leads out of the layout is refused`(entry: String) throws {
        let error = try failure(handmadeBundle(layoutFiles(image) + [(entry, [1])]))
        #expect(error.code == .unsafePath)
        #expect(error.entry == entry)
    }

    @Test(arguments: ["index.json", "./index.json", "././index.json"])
    func `an entry that is there twice is refused`(entry: String) throws {
        let error = try failure(handmadeBundle(layoutFiles(image) + [(entry, Array("{}".utf8))]))
        #expect(error.code == .duplicateEntry)
        #expect(error.entry == entry)
        #expect(error.isContentDamage)
    }

    @Test(arguments: ["", "./"])
    func `a blob that is there twice is refused`(prefix: String) throws {
        let files = try layoutFiles(image)
        let (path, bytes) = try #require(files.last)
        let error = try failure(handmadeBundle(files + [(prefix + path, bytes)]))
        #expect(error.code == .duplicateEntry)
        #expect(error.entry == prefix + path)
    }

    @Test(arguments: [("1", "a hard link"), ("2", "a symbolic link"), ("3", "a device, a pipe or a socket")])
    func `a link or a device is refused`(type: String, kind: String) throws {
        let header = TarBytes.header(path: "blobs/x", byteCount: 0, type: Character(type), link: "oci-layout")
        let whole = try handmadeBundle(layoutFiles(image))
        let error = try failure(whole.dropLast(1024) + header + TarBytes.end)
        #expect(error.code == .unsupportedEntry(kind: kind))
        #expect(error.description.hasSuffix("entry blobs/x: it is \(kind); a bundle has only files and directories"))
    }

    // MARK: - Damage

    @Test func `a bundle that is cut anywhere never looks whole`() throws {
        try image.write(to: path)
        let whole = try scratch.read("bundle.tar")
        let lengths = Array(stride(from: 0, to: whole.count, by: 512)) + [1, 511, 513, whole.count - 1]
        for length in lengths {
            let error = try failure(Array(whole[..<length]))
            #expect(error.isContentDamage || length < 512, "\(length): \(error)")
        }
    }

    @Test func `a flipped byte is found wherever it matters`() throws {
        try image.write(to: path)
        let plan = try image.plan
        let whole = try scratch.read("bundle.tar")
        let protected =
            plan.known.dropFirst(3).map { ($0.offset, Int64($0.bytes.count)) }
            + plan.blobs.map { ($0.offset, $0.descriptor.size) }
        for position in stride(from: 0, to: whole.count, by: 7) {
            var damaged = whole
            damaged[position] ^= 0x20
            try scratch.write(damaged, to: "bundle.tar")
            let isContent = protected.contains { $0.0..<($0.0 + $0.1) ~= Int64(position) }
            do {
                let reader = try LayoutReader(path: path)
                for problem in reader.problems { throw problem }
                for blob in reader.blobs { try reader.verify(blob) }
                #expect(!isContent, "byte \(position)")
                // What is left: padding, and texts that no digest covers.
                #expect(!Self.isHeader(position, of: plan), "byte \(position)")
            } catch let error as LayoutError {
                if isContent { #expect(error.code.damagedDigest != nil, "byte \(position): \(error)") }
            }
        }
    }

    @Test func `random damage is an error or a problem, never a crash`() throws {
        try image.write(to: path)
        let whole = try scratch.read("bundle.tar")
        var generator = SplitMix64(seed: 7)
        for _ in 0..<500 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                let position = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[position] = UInt8.random(in: 0...255, using: &generator)
            }
            damaged.removeLast(Int.random(in: 0...1, using: &generator) * Int.random(in: 0...3000, using: &generator))
            try scratch.write(damaged, to: "bundle.tar")
            do {
                _ = try LayoutReader(path: path)
            } catch let error as LayoutError {
                #expect(error.path == path)
            }
        }
    }

    /// Whether a position is in a header, but for the end of its checksum field, which programs write in several ways.
    private static func isHeader(_ position: Int, of plan: LayoutPlan) -> Bool {
        let headers = plan.known.map { ($0.headerOffset, $0.offset) } + plan.blobs.map { ($0.headerOffset, $0.offset) }
        return headers.contains { $0.0..<$0.1 ~= Int64(position) && !(154...155 ~= Int64(position) - $0.0) }
    }
}
