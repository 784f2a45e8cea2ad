import TestSupport
import Testing

/// What a registry says of its limit is told before it is used up.
@Suite struct QuotaTests {
    private let terminal: Terminal
    private let content = RegistryContent()
    private let image: TestImage

    init() throws {
        terminal = try Terminal()
        var builder = ImageBuilder(seed: 340)
        image = try builder.multiPlatform()
        try content.add(image, repository: "app", tag: "1")
    }

    private func registry(_ headers: [(String, String)]) throws -> ScriptedRegistry {
        try ScriptedRegistry { [content] request in
            headers.reduce(content.answer(request)) { $0.with($1.0, $1.1) }
        }
    }

    private let short = ": wait until more are left, or log in with an account that may send more"

    /// What a registry says, and what is told of it for a bundle of three manifests.
    @Test(
        arguments: [
            (
                [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "76;w=21600")],
                "76 of 100 requests left in 6 h", false
            ),
            ([("RateLimit-Limit", "60"), ("RateLimit-Remaining", "3")], "3 of 60 requests left", false),
            ([("RateLimit-Remaining", "2;w=900")], "2 requests left in 15 min", true),
            (
                [("RateLimit-Limit", "100;w=90"), ("RateLimit-Remaining", "0;w=90")], "0 of 100 requests left in 90 s",
                true
            ),
        ] as [([(String, String)], String, Bool)]
    )
    func `a dry run tells how much is left, and what to do where that is too little`(
        headers: [(String, String)],
        left: String,
        isShort: Bool
    ) async throws {
        let registry = try registry(headers)
        let name = "\(registry.address)/app:1"
        let line = "\(registry.address): \(left); the manifests of this bundle take 3\(isShort ? short : "")\n"
        let outcome = try await terminal.drayage("bundle", name, "--dry-run")
        #expect(outcome.status == 0)
        #expect(outcome.errorText.hasPrefix(line + "would bundle 1 image, "), "\(outcome.errorText)")
        let quiet = try await terminal.drayage("bundle", name, "--dry-run", "-q")
        expect(quiet, status: 0, errors: "")
    }

    @Test func `a bundle that was made tells what it took, and gives no advice`() async throws {
        let registry = try registry([("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "1;w=21600")])
        let outcome = try await terminal.drayage("bundle", "\(registry.address)/app:1", "-o", "b.tar", "--json")
        #expect(outcome.status == 0)
        let line = "\(registry.address): 1 of 100 requests left in 6 h; the manifests of this bundle took 3\nb.tar: "
        #expect(outcome.errorText.contains(line), "\(outcome.errorText)")
        let quotas = try #require(try ReportDocument(outcome.output).quotas)
        #expect(quotas.map(\.registry) == [registry.address])
        #expect(quotas.map(\.limit) == [100] && quotas.map(\.remaining) == [1] && quotas.map(\.needed) == [3])
        #expect(quotas.map(\.windowSeconds) == [21_600])
    }

    @Test func `a bundle that failed for it tells what to do`() async throws {
        let registry = try ScriptedRegistry { _ in
            .error(429, "TOOMANYREQUESTS").with("RateLimit-Limit", "100;w=21600").with(
                "RateLimit-Remaining",
                "0;w=21600"
            )
        }
        let outcome = try await terminal.drayage("bundle", "\(registry.address)/app:1", "-o", "b.tar")
        #expect(outcome.status == 1)
        let line = "\(registry.address): 0 of 100 requests left in 6 h; the manifests of this bundle take 1\(short)\n"
        #expect(outcome.errorText.hasSuffix(line + "bundle failed: 1 failure\n"), "\(outcome.errorText)")
    }
}
