import CCrypt
import Glibc

/// A password hashed with bcrypt, as a line of an htpasswd file has it.
struct PasswordHash: Hashable, Sendable {
    /// Why a text is none that is accepted.
    enum Flaw: Error, Hashable, Sendable {
        /// It was made in another way, or not at all.
        case notBcrypt
        /// It begins as bcrypt does, and does not go on so.
        case malformed
        /// It takes more time than ``costLimit`` allows, or less than bcrypt can.
        case cost(Int)
    }

    /// The dearest hash that is computed: some seconds, and the most that `htpasswd` makes.
    ///
    /// Each step doubles the time and bcrypt goes up to 31, which takes days: one guess of a stranger would be enough to
    /// keep a thread for good.
    static let costLimit = 17
    /// The cheapest hash that bcrypt has.
    static let leastCost = 4
    /// One byte less than libcrypt's own limit: the end of the text counts there.
    static let passwordByteLimit = 511

    /// `$2y$`, two digits of cost, `$`, 22 characters of salt, 31 of the hash itself.
    private static let byteCount = 60
    private static let valueByteCount = 31

    /// The whole text.
    let text: [UInt8]
    /// Two to this power is the number of rounds.
    let cost: Int

    /// Takes the text of a hash.
    init(parsing bytes: some Collection<UInt8>) throws(Flaw) {
        let text = Array(bytes)
        guard ["$2y$", "$2a$", "$2b$"].contains(where: { text.starts(with: $0.utf8) }) else { throw .notBcrypt }
        guard text.count == Self.byteCount, text[6] == UInt8(ascii: "$"), text[7...].allSatisfy(\.isBcryptDigit),
            let cost = Self.number(text[4..<6])
        else { throw .malformed }
        guard Self.leastCost...Self.costLimit ~= cost else { throw .cost(cost) }
        self.text = text
        self.cost = cost
    }

    /// A hash that no password is known to have, of the given cost.
    init(ofNobodyWithCost cost: Int) {
        let prefix = "$2y$" + (cost < 10 ? "0" : "") + "\(cost)$"
        text = Array(prefix.utf8) + [UInt8](repeating: UInt8(ascii: "."), count: Self.byteCount - prefix.utf8.count)
        self.cost = cost
    }

    /// Whether a password is the one that was hashed; this takes the time that the cost says.
    ///
    /// bcrypt reads 72 bytes of a password and ignores the rest, as it did when the hash was made.
    func matches(_ password: String) -> Bool {
        guard Self.isHashable(password) else { return false }
        let size = MemoryLayout<crypt_data>.size
        guard let input = MemoryLayout<crypt_data>.offset(of: \.input),
            let setting = MemoryLayout<crypt_data>.offset(of: \.setting),
            // On the heap, for it has 32 KiB; and in one piece with the password, so that one stroke wipes both.
            let memory = unsafe calloc(1, size)
        else { return false }
        defer {
            unsafe explicit_bzero(memory, size)
            unsafe free(memory)
        }
        for (index, byte) in password.utf8.enumerated() {
            unsafe memory.storeBytes(of: byte, toByteOffset: input + index, as: UInt8.self)
        }
        for (index, byte) in text.enumerated() {
            unsafe memory.storeBytes(of: byte, toByteOffset: setting + index, as: UInt8.self)
        }
        let result = unsafe crypt_r(
            (memory + input).assumingMemoryBound(to: CChar.self),
            (memory + setting).assumingMemoryBound(to: CChar.self),
            memory.assumingMemoryBound(to: crypt_data.self)
        )
        guard let result = unsafe result, unsafe strlen(result) == Self.byteCount else { return false }
        // The value alone: the salt's last character has bits that mean nothing, and libcrypt clears them.
        let start = Self.byteCount - Self.valueByteCount
        var difference: UInt8 = 0
        for index in start..<Self.byteCount {
            difference |= unsafe UInt8(bitPattern: result[index]) ^ text[index]
        }
        return difference == 0
    }

    /// Whether libcrypt would take a password whole: one with a NUL would end there, and any longer text would match.
    static func isHashable(_ password: String) -> Bool {
        password.utf8.count <= passwordByteLimit && !password.utf8.contains(0)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        digits.reduce(Int?(0)) { sum, digit in
            let digit = Int(digit) - 48
            return 0...9 ~= digit ? sum.map { $0 * 10 + digit } : nil
        }
    }
}

extension UInt8 {
    /// Whether it is one of bcrypt's own 64 digits.
    fileprivate var isBcryptDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
