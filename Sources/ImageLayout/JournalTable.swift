import Glibc
import OCI

/// The part of a journal that changes: where each number lies.
struct JournalTable {
    /// What a table says.
    struct Contents {
        let phase: LayoutJournal.Phase
        let boot: [UInt8]
        let written: [Int64]
        let synced: [Int64]
    }

    private static let width: Int64 = 8
    private static let headLength: Int64 = width + Int64(Boot.byteCount)

    /// Where it begins.
    let offset: Int64
    /// What stands for each blob that is whole: the beginning of its digest, as a number below zero.
    ///
    /// Nothing that a disk gives back in the place of what was written, be it zeros, ones or another file's, is that.
    private let marks: [Int64]

    /// Lays the table of some blobs out behind so many bytes.
    init(offset: Int, blobs: [LayoutPlan.Blob]) {
        self.offset = (Int64(offset) + Self.width - 1) / Self.width * Self.width
        marks = blobs.map { Int64(bitPattern: $0.descriptor.digest.prefix) | .min }
    }

    /// Where it is noted for which boot the written counts are.
    var bootOffset: Int64 { offset + Self.width }

    /// Where it is noted how far a blob has been written.
    func writtenOffset(_ index: Int) -> Int64 { offset + Self.headLength + Int64(index) * Self.width }

    /// Where it is noted how far a blob has been synced.
    func syncedOffset(_ index: Int) -> Int64 { writtenOffset(marks.count + index) }

    /// The bytes of a whole table.
    func bytes(phase: LayoutJournal.Phase, boot: [UInt8], written: [Int64], synced: [Int64]) -> [UInt8] {
        Self.bytes(of: phase) + boot + bytes(of: written) + bytes(of: synced)
    }

    static func bytes(of phase: LayoutJournal.Phase) -> [UInt8] { bytes(ofNumber: phase.rawValue) }

    /// The bytes that say how far all blobs are.
    func bytes(of counts: [Int64]) -> [UInt8] { counts.indices.flatMap { bytes(of: counts[$0], index: $0) } }

    /// The bytes that say how far a blob is.
    func bytes(of count: Int64, index: Int) -> [UInt8] {
        Self.bytes(ofNumber: count == LayoutJournal.verified ? marks[index] : count)
    }

    private static func bytes(ofNumber number: Int64) -> [UInt8] {
        (0..<Int(width)).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// Reads a table that ends where its file does; nil where there is none.
    func read(from file: OpenFile) throws(LayoutError) -> Contents? {
        let end = syncedOffset(marks.count)
        guard try file.byteCount() == end else { return nil }
        let bytes = try file.bytes(in: offset..<end)
        let head = Int(Self.headLength)
        guard let phase = Self.numbers(bytes.prefix(Int(Self.width))).first.flatMap(LayoutJournal.Phase.init) else {
            return nil
        }
        let numbers = Self.numbers(bytes.dropFirst(head))
        return Contents(
            phase: phase,
            boot: Array(bytes[Int(Self.width)..<head]),
            written: counts(numbers.prefix(marks.count)),
            synced: counts(numbers.dropFirst(marks.count))
        )
    }

    /// How far all blobs are; what is no number of ours says that nothing is there.
    private func counts(_ numbers: ArraySlice<Int64>) -> [Int64] {
        zip(numbers, marks).map { number, mark in number == mark ? LayoutJournal.verified : max(number, 0) }
    }

    private static func numbers(_ bytes: ArraySlice<UInt8>) -> [Int64] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: Int(width)).map { start in
            bytes[start..<(start + Int(width))].reversed().reduce(0) { $0 << 8 | Int64($1) }
        }
    }
}

/// The time for which the machine has been running: what was written in it and not synced is still there.
enum Boot {
    static let byteCount = 16
    /// Stands for one that is over.
    static let none = [UInt8](repeating: 0, count: byteCount)

    /// The identity of the present one; ``none`` where the system does not tell it.
    static let current: [UInt8] = {
        let descriptor = unsafe open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return none }
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 36)
        guard unsafe read(descriptor, &text, text.count) == text.count else { return none }
        let digits = text.compactMap { Character(UnicodeScalar($0)).hexDigitValue.map(UInt8.init) }
        guard digits.count == byteCount * 2 else { return none }
        return (0..<byteCount).map { digits[$0 * 2] << 4 | digits[$0 * 2 + 1] }
    }()
}
