import Glibc

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
    private let blobCount: Int

    /// Lays a table out behind so many bytes.
    init(offset: Int, blobCount: Int) {
        self.offset = (Int64(offset) + Self.width - 1) / Self.width * Self.width
        self.blobCount = blobCount
    }

    /// Where it is noted how far a blob has been written.
    func writtenOffset(_ index: Int) -> Int64 { offset + Self.headLength + Int64(index) * Self.width }

    /// Where it is noted how far a blob has been synced.
    func syncedOffset(_ index: Int) -> Int64 { writtenOffset(blobCount + index) }

    /// The bytes of a whole table.
    func bytes(phase: LayoutJournal.Phase, boot: [UInt8], written: [Int64], synced: [Int64]) -> [UInt8] {
        Self.bytes(of: phase.rawValue) + boot + Self.bytes(of: written) + Self.bytes(of: synced)
    }

    static func bytes(of number: Int64) -> [UInt8] { bytes(of: [number]) }

    static func bytes(of numbers: [Int64]) -> [UInt8] {
        numbers.flatMap { number in (0..<Int(width)).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    }

    /// Reads a table that ends where its file does; nil where there is none.
    func read(from file: OpenFile) throws(LayoutError) -> Contents? {
        let end = syncedOffset(blobCount)
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
            written: Array(numbers.prefix(blobCount)),
            synced: Array(numbers.dropFirst(blobCount))
        )
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

    /// The identity of the present one; zeros where the system does not tell it.
    static let current: [UInt8] = {
        let none = [UInt8](repeating: 0, count: byteCount)
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
