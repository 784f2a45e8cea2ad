import Drayage
import RegistryTestSupport
import TestSupport
import Testing

extension FaultTableTests {
    /// A registry whose tokens do not last.
    @Suite struct Tokens {
        private static let user = TestSecrets.user("me")
        private let issuer = TokenIssuer(user: Self.user)

        /// Sets a job up at a registry that asks for a token.
        ///
        /// - Parameters:
        ///   - job: the job.
        ///   - isSaidEarly: whether the registry refuses a request before it has read its body.
        ///   - fault: what happens to those requests that have a token.
        ///   - ends: whether every token so far ends before a request.
        /// - Returns: the site.
        /// - Throws: what stands in the way.
        private func site(
            _ job: FaultJob,
            isSaidEarly: Bool = false,
            fault: @escaping FaultProxy.Script = { _, _ in nil },
            ends: @escaping @Sendable (Request, _ count: Int) -> Bool
        ) async throws -> FaultSite {
            var site = try await FaultSite(job) { request, count in
                if request.path == "/token" { return fault(request, count) ?? .answer(issuer.token(request)) }
                if ends(request, count) { issuer.revokeAll() }
                guard let challenge = issuer.challenge(request) else { return fault(request, count) }
                return isSaidEarly ? .earlyAnswer(challenge) : .answer(challenge)
            }
            site.workshop.connections.setCredentials(
                username: "me",
                password: Self.user.password,
                for: site.proxy.address
            )
            return site
        }

        @Test(arguments: FaultJob.allCases, [false, true])
        func `a token that ends before each request is replaced`(job: FaultJob, isSaidEarly: Bool) async throws {
            var site = try await site(job, isSaidEarly: isSaidEarly) { _, count in count == 1 }
            // No request ends the token of another.
            site.workshop.connections.parallelism = 1
            let report = await site.run()
            try await site.expectWhole(report)
            #expect(issuer.issued.count > 2)
            let name = "token ends before each request, \(isSaidEarly ? "said early" : "said late")"
            FaultTable.current.note(name, at: site, report)
        }

        @Test func `a token that ends while a blob comes is replaced, and the blob goes on`() async throws {
            var site = try await site(
                .bundle,
                fault: { request, _ in
                    request.path.contains("/blobs/") && request.header("Range") == nil
                        ? .transfer(.stalled(after: 2000)) : nil
                },
                ends: { request, count in request.header("Range") != nil && count == 2 }
            )
            site.workshop.connections.idleTimeout = .seconds(2)
            let report = await site.run()
            try await site.expectWhole(report)
            let rest = site.proxy.exchanges.filter { $0.request.header("Range") == "bytes=2000-" }
            #expect(rest.map(\.status) == [401, 206])
            FaultTable.current.note("token ends before the rest of a blob", at: site, report)
        }

        @Test func `a token that ends while a blob goes is replaced, and the upload is made again`() async throws {
            var site = try await site(
                .push,
                fault: { request, count in
                    FaultStep.putBlob.includes(request) && count == 1 ? .resetRequest(after: 200) : nil
                },
                ends: { request, count in FaultStep.putBlob.includes(request) && count == 2 }
            )
            site.workshop.connections.parallelism = 1
            let report = await site.run()
            try await site.expectWhole(report)
            #expect(site.proxy.exchanges.contains { FaultStep.putBlob.includes($0.request) && $0.status == 401 })
            #expect(site.registry.storage.unfinishedUploads(repository: "app") == [])
            FaultTable.current.note("token ends before an upload is made again", at: site, report)
        }

        @Test(arguments: FaultJob.allCases)
        func `a token server that fails once is asked again`(job: FaultJob) async throws {
            let site = try await site(
                job,
                fault: { request, count in request.path == "/token" && count == 1 ? .status(503) : nil },
                ends: { _, _ in false }
            )
            let report = await site.run()
            try await site.expectWhole(report)
            FaultTable.current.note("token server: 503, once", at: site, report)
        }

        @Test(arguments: FaultStep.allCases)
        func `a token that is never taken is told, and the next run is whole`(step: FaultStep) async throws {
            let isOver = Flag()
            let site = try await site(step.job) { request, _ in !isOver.isSet && step.includes(request) }
            let report = await site.run()
            FaultTable.current.note("token ends, each \(step.rawValue)", at: site, report)
            try site.expectFailure(report, ["\(step.operation) \(site.proxy.address)/app", "not authorised"])
            #expect(report.exitStatus == .unauthorized)
            #expect(site.registry.storage.unfinishedUploads(repository: "app") == [])
            isOver.set(true)
            try await site.expectWhole(await site.run())
        }
    }
}
