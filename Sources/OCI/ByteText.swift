/// Numbers of bytes as a person reads them, wherever Drayage says one.
package enum ByteText {
    /// Says a number in decimal units with three digits: `1.23 GB`.
    package static func size(_ byteCount: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var value = Double(byteCount)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        guard unit > 0 else { return "\(byteCount) B" }
        let digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
        return "\(decimal(value, digits: digits)) \(units[unit])"
    }

    private static func decimal(_ value: Double, digits: Int) -> String {
        let scale = digits == 2 ? 100 : digits == 1 ? 10 : 1
        let scaled = Int((value * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = "\(scaled % scale)"
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
