import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// A bundle that one run after another fills, each of which is killed but for the last.
struct InterruptedBundle {
    /// The blobs by how they are there: whole, verified and synced; otherwise by how many bytes.
    typealias States = [Digest: Int64]

    static let requests = [LayoutRequest(reference: "r.example/app:1", digest: nil)]

    let directory: String
    let images: NamedImages
    let plan: LayoutPlan
    let content: [Digest: [UInt8]]
    /// The bundle, written without a break.
    let whole: Data

    var path: String { directory + "/bundle.tar" }
    var partialPath: String { path + ".partial" }
    var journalPath: String { partialPath + ".journal" }

    init(_ images: NamedImages, in directory: String) throws {
        (self.images, self.directory) = (images, directory)
        (plan, content) = (try images.plan, try images.allBytes)
        let scratch = try ScratchDirectory(inMemory: true)
        try images.write(to: scratch.path("whole.tar"))
        whole = try Data(contentsOf: URL(fileURLWithPath: scratch.path("whole.tar")))
    }

    /// Images with blobs of many kinds: of several pieces, of one, of none, and with digests of both algorithms.
    static func images(seed: UInt64 = 1, largest: Int = 200_001) throws -> NamedImages {
        var (builder, other) = (ImageBuilder(seed: seed), ImageBuilder(seed: seed + 1, algorithm: .sha512))
        let shared = try builder.opaqueLayer(byteCount: largest)
        let empty = try TestBlob(bytes: [], mediaType: shared.descriptor.mediaType)
        return try NamedImages([
            ("r.example/app:1", builder.image(layers: [shared, builder.opaqueLayer(byteCount: 512), empty])),
            ("r.example/app:2", builder.image(layers: [shared, builder.opaqueLayer(byteCount: largest * 3 / 4)])),
            ("r.example/other:1", other.image(layers: [other.opaqueLayer(byteCount: largest / 3)])),
        ])
    }

    func bytes(of blob: LayoutPlan.Blob) throws -> [UInt8] { try #require(content[blob.descriptor.digest]) }

    // MARK: - Runs

    func begin() throws -> LayoutWriter {
        try whenUnlocked { () throws(LayoutError) in
            try LayoutWriter(plan: plan, requests: Self.requests, path: path, replaceExisting: false)
        }
    }

    func open() throws(LayoutError) -> InterruptedLayout? {
        try whenUnlocked { () throws(LayoutError) in try InterruptedLayout.open(for: path) }
    }

    /// A process that another test is starting has all files of this one open until it runs its own program.
    private func whenUnlocked<Result>(_ body: () throws(LayoutError) -> Result) throws(LayoutError) -> Result {
        for _ in 0..<1000 {
            do throws(LayoutError) {
                return try body()
            } catch {
                guard error.code == .beingFilled(processID: nil) else { throw error }
                usleep(5000)
            }
        }
        return try body()
    }

    /// Goes on with what is there, or begins.
    func resume() throws -> LayoutWriter {
        guard let layout = try open() else { return try begin() }
        #expect(layout.plan == plan)
        #expect(layout.requests == Self.requests)
        return try LayoutWriter(continuing: layout, replaceExisting: false)
    }

    /// What a writer takes for verified, and how much of the beginning of other blobs.
    func states(of writer: LayoutWriter) -> States {
        plan.blobs.reduce(into: [:]) { states, blob in
            let slot = writer.slot(for: blob)
            let count = slot.isVerified ? LayoutJournal.verified : slot.prefixCount
            if count != 0 { states[blob.descriptor.digest] = count }
        }
    }

    /// Does what is left to do, as a run does it, and seals the file.
    ///
    /// - Returns: how many bytes had to be fetched.
    @discardableResult
    func finish(_ writer: LayoutWriter, _ location: SourceLocation = #_sourceLocation) throws -> Int64 {
        var fetched: Int64 = 0
        for blob in plan.blobs {
            let (slot, bytes) = (writer.slot(for: blob), try bytes(of: blob))
            if slot.isVerified {
                let found = try writer.partial.file.bytes(in: blob.offset..<(blob.offset + blob.descriptor.size))
                let isSame = found == bytes
                #expect(isSame, "\(blob) is not verified", sourceLocation: location)
                continue
            }
            var start = Int(slot.prefixCount)
            let hasher = DigestHasher(algorithm: blob.descriptor.digest.algorithm)
            try slot.addPrefix(to: hasher, count: Int64(start)) { _ in }
            bytes[start...].withUnsafeBytes { hasher.update($0) }
            if try hasher.finish() != blob.descriptor.digest { start = 0 }
            try slot.write(Array(bytes[start...]), at: Int64(start))
            try slot.noteVerified()
            fetched += Int64(bytes.count - start)
        }
        try writer.seal()
        return fetched
    }

    /// Expects the one file, with the bytes of a bundle that was written without a break.
    func expectFinished(_ comment: Comment? = nil, _ location: SourceLocation = #_sourceLocation) throws {
        let isSame = try Data(contentsOf: URL(fileURLWithPath: path)) == whole
        #expect(isSame, comment, sourceLocation: location)
        #expect(try names() == ["bundle.tar"], comment, sourceLocation: location)
        unlink(path)
    }

    // MARK: - The files

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory).sorted() }

    /// Makes the pair that a killed run left.
    func restore(_ saved: SavedPair) throws { try saved.write(to: partialPath) }

    /// Begins a run, does something with it, and kills it.
    func kill(_ body: (LayoutWriter) throws -> Void = { _ in }) throws { try body(begin()) }

    func saved() throws -> SavedPair { try SavedPair(partialPath) }
}

/// The bytes of a partial file and its journal.
struct SavedPair: Equatable {
    var partial: [UInt8]
    var journal: [UInt8]

    init(_ path: String) throws {
        partial = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        journal = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + ".journal")))
    }

    func write(to path: String) throws {
        try Data(partial).write(to: URL(fileURLWithPath: path))
        try Data(journal).write(to: URL(fileURLWithPath: path + ".journal"))
    }

    /// Where the part of the journal begins that changes.
    var tableOffset: Int {
        get throws {
            let line = try #require(journal.firstIndex(of: UInt8(ascii: "\n")))
            let head = String(decoding: journal[..<line], as: UTF8.self)
            let count = try #require(head.split(separator: " ").last.flatMap { Int($0) })
            return (line + 1 + count + 7) / 8 * 8
        }
    }

    /// Where its two columns begin.
    func columns(_ plan: LayoutPlan) throws -> (written: Int, synced: Int) {
        let written = try tableOffset + 24
        return (written, written + 8 * plan.blobs.count)
    }

    /// Says what the file is.
    mutating func set(_ phase: LayoutJournal.Phase) throws {
        let offset = try tableOffset
        journal.replaceSubrange(offset..<(offset + 8), with: JournalTable.bytes(of: phase))
    }

    /// Lets another boot have been the one of the run.
    mutating func reboot() throws {
        let offset = try tableOffset + 8
        journal[offset] ^= 0xff
    }
}

extension MountedFileSystem {
    /// Mounts what an image has by now, without what is still in memory; what the system does after a crash is done.
    static func copy(ofImage image: String, in scratch: ScratchDirectory) throws -> MountedFileSystem {
        let name = "copy-\(UInt64.random(in: 0 ... .max))"
        let (copy, directory) = (scratch.path("\(name).image"), scratch.path(name))
        try Command("cp", ["--sparse=always", image, copy]).check()
        // A journal is replayed; 1 says that something was put in order.
        guard try Command("e2fsck", ["-fy", copy]).runBlocking().status <= 1 else {
            throw SystemError("checking \(image)")
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return try MountedFileSystem(at: directory, ["-o", "loop", copy])
    }

    /// The name of a file that takes space.
    var hog: String { path + "/hog" }

    /// Takes the space but for so many bytes.
    func fill(leaving count: Int64) throws {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw SystemError("asking for the free space") }
        let free = Int64(status.f_bavail * status.f_frsize)
        let bytes = [UInt8](repeating: 1, count: Int(max(0, free - count)))
        // A disk that is full before that is as good.
        try? Data(bytes).write(to: URL(fileURLWithPath: hog))
    }
}
