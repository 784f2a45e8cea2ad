import ArgumentParser

/// A number of bytes with its unit: `16MiB`, `90MB`, `1G`.
struct ByteSize: ExpressibleByArgument {
    /// A letter alone is a decimal unit: of what may be too large, the smaller is meant.
    private static let units: [String: Int64] = [
        "": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1 << 10, "m": 1_000_000, "mb": 1_000_000, "mib": 1 << 20,
        "g": 1_000_000_000, "gb": 1_000_000_000, "gib": 1 << 30,
    ]

    let byteCount: Int64

    init?(argument: String) {
        let digits = argument.prefix { "0123456789".contains($0) }
        guard let count = Int64(digits), let unit = Self.units[argument.dropFirst(digits.count).lowercased()] else {
            return nil
        }
        let (byteCount, overflows) = count.multipliedReportingOverflow(by: unit)
        guard !overflows else { return nil }
        self.byteCount = byteCount
    }
}
