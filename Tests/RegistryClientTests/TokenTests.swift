import Testing

@testable import RegistryClient

@Suite struct TokenTests {
    /// What a server grants in seconds, with the seconds after which a token is not used any more: ten before its end.
    @Test(
        arguments: [
            (300, 290),
            // Less than a minute is a minute, and so is nothing.
            (nil, 50), (1, 50), (60, 50), (0, 50), (-1, 50), (Int.min, 50),
            // More than a day is a day.
            (86_400, 86_390), (86_401, 86_390), (Int.max, 86_390),
        ] as [(Int?, Int)]
    )
    func `a token is replaced before its end`(granted: Int?, used: Int) {
        let issued = ContinuousClock.now
        let token = Token(value: "t", seconds: granted, issued: issued)
        #expect(token.isUsable(at: issued))
        #expect(token.isUsable(at: issued + .seconds(used) - .milliseconds(1)))
        #expect(!token.isUsable(at: issued + .seconds(used)))
        #expect(token.authorization == "Bearer t")
    }
}
