import RegistryClient
import Testing

@Suite struct ContentRangeTests {
    @Test(
        arguments: [
            ("bytes 0-499/1234", 0, 499, 1234),
            ("bytes 1233-1233/1234", 1233, 1233, 1234),
            ("Bytes  5-9/10", 5, 9, 10),
            ("bytes 0-9223372036854775806/9223372036854775807", 0, Int64.max - 1, Int64.max),
        ] as [(String, Int64, Int64, Int64)]
    )
    func `a range of a known whole is read`(header: String, first: Int64, last: Int64, byteCount: Int64) throws {
        let range = try #require(ContentRange(header))
        #expect(range.first == first)
        #expect(range.last == last)
        #expect(range.byteCount == byteCount)
    }

    @Test func `a star stands for a size that is not said`() throws {
        let range = try #require(ContentRange("bytes 7-9/*"))
        #expect(range.first == 7)
        #expect(range.last == 9)
        #expect(range.byteCount == nil)
    }

    @Test(arguments: [
        "", "bytes", "bytes ", "bytes 0-499", "bytes */1234", "bytes 0-/5", "bytes -5/10", "bytes 5-4/10",
        // Beyond the end of the whole.
        "bytes 0-10/10",
        // Signs, blanks and other digits are none.
        "bytes +0-4/10", "bytes 0-4/+10", "bytes 0 - 4/10", "bytes ٠-٤/١٠",
        // Other units, several ranges, overflow.
        "items 0-4/10", "bytes 0-4,6-7/10", "bytes 0-4/10/10", "bytes 0-9223372036854775808/*",
    ])
    func `what is no range, or makes no sense, is none`(header: String) {
        #expect(ContentRange(header) == nil)
    }
}
