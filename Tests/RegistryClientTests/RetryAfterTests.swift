import OCI
import RegistryClient
import TestSupport
import Testing

/// A registry that says when to come back.
@Suite struct RetryAfterTests {
    private let clock = TestClock()
    private let content = RegistryContent()

    init() throws {
        var builder = ImageBuilder()
        for repository in ["a", "b"] { try content.add(try builder.image(), repository: repository, tag: "1") }
    }

    private func waits(after answer: Answer, date: Int64 = 0) async throws -> [Duration] {
        let registry = try faulty([answer], then: content.answer)
        let repository = try registry.repository("a")
        _ = try await withClient(clock.configuration(date: date)) { try await $0.tags(of: repository) }
        return clock.waits
    }

    /// What is said, with the wait that follows: never less than is asked, nor than without it.
    @Test(arguments: [
        ("7", Duration.seconds(7)), ("300", .seconds(300)), (" 9 ", .seconds(9)), ("0", .milliseconds(500)),
        ("-5", .milliseconds(500)), ("1.5", .milliseconds(500)), ("soon", .milliseconds(500)), ("", .milliseconds(500)),
    ])
    func `seconds are waited in full`(text: String, wait: Duration) async throws {
        #expect(try await waits(after: Answer(429, headers: [("Retry-After", text)])) == [wait])
    }

    @Test(arguments: [408, 425, 429, 500, 503])
    func `every status that is tried again may say so`(status: Int) async throws {
        #expect(try await waits(after: Answer(status, headers: [("Retry-After", "20")])) == [.seconds(20)])
    }

    /// The forms of a date, and what is none.
    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Duration.seconds(60)), ("Sunday, 06-Nov-94 08:49:37 GMT", .seconds(60)),
        ("Sun Nov  6 08:49:37 1994", .seconds(60)), ("Sun, 06 Nov 1994 08:48:00 GMT", .milliseconds(500)),
        ("Sun, 06 Nov 1994 25:49:37 GMT", .milliseconds(500)), ("Sun, 06 Foo 1994 08:49:37 GMT", .milliseconds(500)),
        ("Sun, 06 Nov 1994", .milliseconds(500)), ("1994-11-06T08:49:37Z", .milliseconds(500)),
    ])
    func `a date is waited for, in each of its forms`(text: String, wait: Duration) async throws {
        #expect(try await waits(after: Answer(429, headers: [("Retry-After", text)]), date: 784_111_717) == [wait])
    }

    /// A leap day, the day after it, the last second of a year, and a year that has no leap day.
    @Test(
        arguments: [
            ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Sun, 31 Dec 2023 23:59:59 GMT", 1_704_067_199), ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ] as [(String, Int64)]
    )
    func `the calendar is right`(text: String, seconds: Int64) async throws {
        let answer = Answer(503, headers: [("Retry-After", text)])
        #expect(try await waits(after: answer, date: seconds - 77) == [.seconds(77)])
    }

    @Test func `a date is seen from the registry's own, whatever this machine's clock says`() async throws {
        let answer = Answer(
            429,
            headers: [
                ("Date", "Sat, 21 Nov 2026 13:00:00 GMT"), ("Retry-After", "Sat, 21 Nov 2026 13:01:30 GMT"),
            ]
        )
        #expect(try await waits(after: answer, date: 0) == [.seconds(90)])
    }

    @Test(arguments: ["301", "86400", "99999999999999999999", "Sat, 21 Nov 2026 13:00:00 GMT"])
    func `a wait that is too long is an error that says so, for whoever asks`(text: String) async throws {
        let registry = try ScriptedRegistry { _ in
            .error(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", text)
        }
        let (first, second) = (try registry.repository("a"), try registry.repository("b"))
        try await withClient(clock.configuration()) { client in
            for repository in [first, second] {
                let error = try await failure { try await client.tags(of: repository) }
                #expect(error.status == 429)
                #expect(error.subject == repository.description)
                #expect(error.registryMessages == ["TOOMANYREQUESTS: slow down"])
                #expect(error.reason?.hasPrefix("the registry asks to wait ") == true)
                #expect(error.reason?.hasSuffix(" s, and --max-wait is 300 s") == true)
                if text == "86400" { #expect(error.description.contains("asks to wait 86400 s")) }
            }
        }
        // The second was not even sent.
        #expect(registry.requests.count == 1)
        #expect(clock.waits.isEmpty)
    }

    @Test func `a longer wait is allowed where it was configured`() async throws {
        let registry = try faulty([Answer(429, headers: [("Retry-After", "3600")])], then: content.answer)
        let repository = try registry.repository("a")
        var configuration = clock.configuration()
        configuration.maxWait = .seconds(3600)
        _ = try await withClient(configuration) { try await $0.tags(of: repository) }
        #expect(clock.waits == [.seconds(3600)])
    }
}
