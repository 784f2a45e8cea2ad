import Testing

@testable import RegistryClient

@Suite struct RateLimitTests {
    /// The two headers, and what they say: how many are left, of how many, within how many seconds.
    @Test(
        arguments: [
            ("76;w=21600", "100;w=21600", 76, 100, 21_600),
            // The window may stand in one of them, between blanks, and beside other things.
            ("76", "100 ; w=60", 76, 100, 60), ("76; q=1; w=60", "100", 76, 100, 60), (" 76 ", nil, 76, nil, nil),
            // What makes no sense is not said.
            ("76;w=-60", "-1", 76, nil, nil), ("76;w=", "many", 76, nil, nil), ("0;w=99999999999", "", 0, nil, nil),
        ] as [(String, String?, Int, Int?, Int64?)]
    )
    func `a limit is read`(remaining: String, limit: String?, left: Int, whole: Int?, seconds: Int64?) throws {
        let found = try #require(RateLimit(remaining: remaining, limit: limit))
        #expect(found.remaining == left)
        #expect(found.limit == whole)
        #expect(found.window == seconds.map { .seconds($0) })
    }

    @Test(arguments: [nil, "", ";w=60", "-1", "many", "99999999999999999999"])
    func `what says not how many are left says nothing`(remaining: String?) {
        #expect(RateLimit(remaining: remaining, limit: "100;w=60") == nil)
    }
}
