import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// What a run left that was killed: some blobs whole, one synced in part, one not synced, and others not at all.
struct KilledRun {
    let scratch: ScratchDirectory
    let bundle: InterruptedBundle
    let pair: SavedPair
    /// The blobs that are whole in it.
    let whole: Set<Digest>

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        let bundle = try InterruptedBundle(InterruptedBundle.images(largest: 9001), in: scratch.path)
        let blobs = bundle.plan.blobs
        try bundle.kill { writer in
            for blob in blobs.prefix(3) { try Self.write(blob, of: bundle, writer) }
            try writer.slot(for: blobs[3]).write(bundle.bytes(of: blobs[3]), at: 0)
            try writer.slot(for: blobs[3]).note(prefix: 300)
            try writer.checkpoint()
            try Self.write(blobs[4], of: bundle, writer)
        }
        self.bundle = bundle
        pair = try bundle.saved()
        whole = Set(blobs.prefix(5).map(\.descriptor.digest))
    }

    static func write(_ blob: LayoutPlan.Blob, of bundle: InterruptedBundle, _ writer: LayoutWriter) throws {
        try writer.slot(for: blob).write(bundle.bytes(of: blob), at: 0)
        try writer.slot(for: blob).noteVerified()
    }

    /// Expects a refusal that names the file and the way out, and that nothing is changed.
    func expectRefusal(
        _ reason: String? = nil,
        _ comment: Comment? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let before = try snapshot()
        let error = try #require(throws: LayoutError.self, comment, sourceLocation: location) { try bundle.open() }
        expect(error, reason, comment, location)
        let isSame = try snapshot() == before
        #expect(isSame, comment, sourceLocation: location)
    }

    func expect(_ error: LayoutError, _ reason: String?, _ comment: Comment?, _ location: SourceLocation) {
        guard case .notContinuable(let found) = error.code else {
            Issue.record("\(error)", sourceLocation: location)
            return
        }
        if let reason { #expect(found == reason, comment, sourceLocation: location) }
        #expect(error.path == bundle.partialPath, comment, sourceLocation: location)
        #expect(error.description.hasSuffix("; remove it to start over"), comment, sourceLocation: location)
    }

    /// All files, by their names.
    func snapshot() throws -> [String: Data] {
        try scratch.names().reduce(into: [:]) { files, name in
            var status = stat()
            guard lstat(scratch.path(name), &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                files[name] = Data()
                return
            }
            files[name] = try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
        }
    }
}
