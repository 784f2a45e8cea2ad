import FoundationEssentials

extension [UInt8] {
    /// Reads Base64 as Go does, which signers are written in: line ends are passed over.
    ///
    /// The URL-safe alphabet is good as well, the padding is not left out; nil where it is no Base64.
    ///
    /// Spec: DSSE "Standard JSON envelope".
    init?(base64 text: String) {
        let standard = text.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): nil
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: byte
            }
        }
        guard let data = Data(base64Encoded: Data(standard)) else { return nil }
        self.init(data)
    }
}
