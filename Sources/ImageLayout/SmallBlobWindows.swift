import Archive
import OCI
import Synchronization

/// The parts of a bundle that small blobs share, and how many of them are still missing in each.
///
/// A part is brought to disk when the last one is there, in whatever order they come: the disk gets many at once, and has
/// most of the file before its end.
final class SmallBlobWindows: Sendable {
    /// The size of a part.
    static let byteCount: Int64 = 2 << 20

    private let missingCounts: Mutex<[Int32]>

    /// Counts the blobs that are going to be written.
    ///
    /// - Parameters:
    ///   - plan: the bundle.
    ///   - isDone: whether a blob is there already, by its number.
    init(_ plan: LayoutPlan, isDone: (Int) -> Bool = { _ in false }) {
        var counts = [Int32](repeating: 0, count: Int(plan.byteCount / Self.byteCount) + 1)
        for (index, blob) in plan.blobs.enumerated() where blob.isSmall && !isDone(index) {
            for window in Self.windows(of: blob) { counts[window] += 1 }
        }
        missingCounts = Mutex(counts)
    }

    /// Notes that all of a blob has been written.
    ///
    /// - Returns: the parts that are complete now. One whose blob is written once more, because it was wrong, counts as
    ///   that too early, which does no harm.
    func noteWritten(_ blob: LayoutPlan.Blob) -> [Range<Int64>] {
        missingCounts.withLock { counts in
            Self.windows(of: blob).compactMap { window in
                counts[window] -= 1
                let start = Int64(window) * Self.byteCount
                return counts[window] == 0 ? start..<(start + Self.byteCount) : nil
            }
        }
    }

    /// The numbers of the parts in which a blob has its header, its data and its padding.
    private static func windows(of blob: LayoutPlan.Blob) -> ClosedRange<Int> {
        let size = blob.descriptor.size
        let end = blob.offset + size + Int64(TarHeader.padding(after: size))
        return Int(blob.headerOffset / byteCount)...Int((end - 1) / byteCount)
    }
}

extension LayoutPlan.Blob {
    /// Whether it is brought to disk together with others.
    var isSmall: Bool { 1..<(512 << 10) ~= descriptor.size }
}
