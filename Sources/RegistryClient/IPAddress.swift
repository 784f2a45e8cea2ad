import Glibc

/// An IP address as its bytes, of which an IPv4 address has four, also where it is written as an IPv6 address.
struct IPAddress: Hashable, Sendable {
    let bytes: [UInt8]

    /// Whether it is of this machine alone.
    var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == Self.loopback }

    private static let loopback: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]
    private static let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [255, 255]

    /// Reads an address in the form that every program agrees on; nil for all else, such as `127.1`.
    init?(_ text: some StringProtocol) {
        var version4 = in_addr()
        var version6 = in6_addr()
        let text = String(text)
        if unsafe inet_pton(AF_INET, text, &version4) == 1 {
            bytes = unsafe withUnsafeBytes(of: &version4) { unsafe Array($0) }
        } else if unsafe inet_pton(AF_INET6, text, &version6) == 1 {
            let all = unsafe withUnsafeBytes(of: &version6) { unsafe Array($0) }
            bytes = all.starts(with: Self.mapped) ? Array(all[12...]) : all
        } else {
            return nil
        }
    }

    /// Whether it begins with as many bits of another one as a prefix has.
    func hasPrefix(of other: IPAddress, bitCount: Int) -> Bool {
        guard bytes.count == other.bytes.count, bitCount <= bytes.count * 8 else { return false }
        return bytes.indices.allSatisfy { index in
            let count = min(max(bitCount - index * 8, 0), 8)
            return (bytes[index] ^ other.bytes[index]) >> (8 - count) == 0
        }
    }
}
