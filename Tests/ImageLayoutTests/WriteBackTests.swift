import Glibc
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct WriteBackTests {
    /// What of the file is written back after a write to a blob that begins 512 bytes before the end of a window.
    private func range(_ size: Int64, after written: Range<Int64>) throws -> Range<Int64>? {
        let scratch = try ScratchDirectory()
        let path = scratch.path("file")
        let file = OpenFile(
            descriptor: unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600),
            path: path,
            operation: .writing
        )
        let digest = try Digest.of([UInt8](), algorithm: .sha256)
        let descriptor = Descriptor(mediaType: .ociConfig, digest: digest, size: size)
        let blob = LayoutPlan.Blob(descriptor: descriptor, headerOffset: Self.window - 1024, offset: Self.window - 512)
        return LayoutSlot(file: file, blob: blob, journal: nil, index: 0).writeBack(after: written)
    }

    private static let window: Int64 = 8 << 20

    @Test func `a write that passes the end of a window has that written back, and of the blob alone`() throws {
        let (window, size) = (Self.window, 10 * Self.window)
        #expect(try range(size, after: 0..<511) == nil)
        #expect(try range(size, after: 0..<512) == (window - 512)..<window)
        #expect(try range(size, after: 500..<1000) == (window - 512)..<window)
        #expect(try range(size, after: 512..<window) == nil)
        #expect(try range(size, after: 1000..<(window + 512)) == window..<(2 * window))
        #expect(try range(size, after: 0..<(3 * window)) == (window - 512)..<(3 * window))
    }

    @Test func `the end of a blob has the rest written back`() throws {
        let window = Self.window
        #expect(try range(2 * window, after: (2 * window - 10)..<(2 * window)) == (2 * window)..<(3 * window - 512))
        #expect(try range(window / 16, after: 0..<(window / 16)) == (window - 512)..<(window + window / 16 - 512))
        #expect(try range(window / 16 - 1, after: 0..<(window / 16 - 1)) == nil)
    }

    @Test func `small blobs are written back by the window, when the last one of it is there`() throws {
        let window = SmallBlobWindows.byteCount
        var builder = ImageBuilder(seed: 1)
        let layers = try (0..<30).map { _ in try builder.opaqueLayer(byteCount: 200_000) }
        let plan = try NamedImages([("r.test/a:1", try builder.image(layers: layers))]).plan
        let windows = SmallBlobWindows(plan)
        var done: [Int64] = []
        var missing = plan.blobs.shuffled()
        while let blob = missing.popLast() {
            for range in windows.noteWritten(blob) {
                #expect(range.count == Int(window))
                done.append(range.lowerBound)
                // Whatever has a byte in it is there.
                let left = missing.map { $0.headerOffset..<($0.offset + $0.descriptor.size) }
                #expect(!left.contains { $0.overlaps(range) })
            }
        }
        #expect(done.sorted() == [0, window, 2 * window])
    }

    @Test func `what was there before is not waited for, and what is not small is not counted`() throws {
        var builder = ImageBuilder(seed: 2)
        let layers = try [200_000, 0, 600_000].map { try builder.opaqueLayer(byteCount: $0) }
        let plan = try NamedImages([("r.test/a:1", try builder.image(layers: layers))]).plan
        let config = try #require(plan.blobs.firstIndex { $0.descriptor.mediaType == .ociConfig })
        let layer = try #require(plan.blobs.first { $0.descriptor.size == 200_000 })
        #expect(SmallBlobWindows(plan).noteWritten(layer) == [])
        #expect(SmallBlobWindows(plan) { $0 == config }.noteWritten(layer) == [0..<SmallBlobWindows.byteCount])
        #expect(!plan.blobs.contains { $0.descriptor.size == 0 && $0.isSmall })
    }
}
