import Testing
import YAML

@Suite struct YAMLScalarKindTests {
    @Test(
        arguments: [
            ("", .null), ("~", .null), ("null", .null), ("NULL", .null), ("Null", .null),
            ("true", .flag), ("False", .flag), ("yes", .flag), ("off", .flag), ("N", .flag),
            ("0", .number), ("-12", .number), ("+1_000", .number), ("1.", .number), (".5", .number), ("1.27", .number),
            ("1e3", .number), ("1.5E-7", .number), ("0x1F", .number), ("0o17", .number), ("-.inf", .number),
            (".NaN", .number),
            ("nginx", .text), ("1.27.0", .text), ("1e", .text), ("0x", .text), ("0xg", .text), ("-", .text),
            (".", .text),
            ("12:30", .text), ("v1", .text), ("1a", .text), ("trues", .text), ("a:1", .text), ("e5", .text),
            ("_1", .text),
        ] as [(String, YAMLScalar.Kind)]
    )
    func `a plain text has a kind`(text: String, kind: YAMLScalar.Kind) {
        #expect(YAMLScalar.kind(ofPlain: text) == kind)
    }

    @Test func `quotes, blocks and tags make a text`() throws {
        let all = try scalars(of: "['1', \"true\", !!str 1, 1, !other ~]\n---\n- |\n  1\n")
        #expect(all.map(\.kind) == [.text, .text, .text, .number, .null, .text])
    }
}
