import YAML

/// A text that nobody calls an image and that looks like a full reference: a host, a path, and a tag or a digest.
struct LikelyReference {
    /// The most bytes of a text that is looked at: no reference with a flag before it is longer.
    private static let lengthLimit = 1024

    let reference: Reference
    /// The reference alone: the text, or what is behind its first `=`.
    let text: String

    init?(_ scalar: YAMLScalar) {
        guard scalar.kind == .text else { return nil }
        self.init(scalar.value)
    }

    init?(_ value: String) {
        let bytes = value.utf8
        guard bytes.count <= Self.lengthLimit, bytes.contains(UInt8(ascii: "/")) else { return nil }
        // `--image=…` and `IMAGE=…`: no reference has this sign.
        let text = bytes.firstIndex(of: UInt8(ascii: "=")).map { String(value[bytes.index(after: $0)...]) } ?? value
        guard Self.beginsWithHost(text.utf8) else { return nil }
        do {
            reference = try Reference(parsing: text)
        } catch {
            // Most texts are something else.
            return nil
        }
        guard reference.tag != nil || reference.digest != nil else { return nil }
        self.text = text
    }

    private static func beginsWithHost(_ text: String.UTF8View) -> Bool {
        guard let slash = text.firstIndex(of: UInt8(ascii: "/")) else { return false }
        return isHost(text[..<slash])
    }

    /// Whether a text looks like a registry's host.
    static func isHost(_ text: Substring.UTF8View) -> Bool {
        text.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") } || text.elementsEqual("localhost".utf8)
    }
}
