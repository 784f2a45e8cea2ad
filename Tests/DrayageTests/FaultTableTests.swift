import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Each fault by itself: what comes of it is the right bytes or, where it never ends, a clear error and nothing visible.
@Suite(.timeLimit(.minutes(10)), .printsFaultTable, .limitsCases(to: 24)) struct FaultTableTests {
    @Test(arguments: FaultAtFirst.all)
    func `a fault of every request, once or three times, is survived`(first: FaultAtFirst) async throws {
        var site = try await FaultSite(first.job, script: first.fault)
        first.row.adjust(&site.workshop.connections)
        let report = await site.run()
        try await site.expectWhole(report)
        #expect(site.proxy.exchanges.contains { $0.fault != nil })
        FaultTable.current.note(first.name, at: site, report)
    }

    @Test(arguments: EndlessFault.all)
    func `a fault that never ends is told and leaves nothing visible, and the next run is whole`(endless: EndlessFault)
        async throws
    {
        let ends = Flag()
        let (row, step) = (endless.row, endless.step)
        // Whoever asks for the same fifty times would never end.
        var site = try await FaultSite(step.job) { request, count in
            !ends.isSet && count <= 50 && step.includes(request) ? row.fault(request) : nil
        }
        row.adjust(&site.workshop.connections)
        // What gets on each time may fail as often as it likes.
        let report = await site.run(retryLimit: endless.ending == .whole ? 8 : 1)
        FaultTable.current.note(endless.testDescription, at: site, report)
        guard case .failure(let cause, let attempts) = endless.ending else { return try await site.expectWhole(report) }
        let request = try #require(site.proxy.exchanges.first { step.includes($0.request) }).request
        let isStored = step == .putManifest && endless.reachesRegistry(request)
        let effort = attempts > 1 ? ["tried \(attempts) times"] : []
        let texts = ["\(step.operation) \(site.proxy.address)/app", cause] + effort
        try site.expectFailure(report, texts, isStored: isStored)
        // What the registry opened without an answer, or cannot be told, it has to forget by itself.
        if step != .openUpload, !row.refuses {
            #expect(site.registry.storage.unfinishedUploads(repository: "app") == [])
        }
        ends.set(true)
        try await site.expectWhole(await site.run())
    }
}
