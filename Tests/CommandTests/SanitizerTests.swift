import TestSupport
import Testing

/// What watches the tests watches the command that they run.
@Suite struct SanitizerTests {
    @Test(arguments: Sanitizer.allCases)
    func `the command has the sanitizer that the tests have, and no other`(sanitizer: Sanitizer) async throws {
        let binary = try Command.binary(named: "drayage")
        let symbols = try await Command("nm", ["--dynamic", "--defined-only", binary]).run()
        #expect(symbols.status == 0, "\(symbols.errorText)")
        #expect(symbols.outputText.contains(" \(sanitizer.symbol)\n") == (sanitizer == Sanitizer.current))
    }
}
