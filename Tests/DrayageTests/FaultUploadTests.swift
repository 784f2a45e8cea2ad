import RegistryTestSupport
import TestSupport
import Testing

extension FaultTableTests {
    /// A way to the registry on which no body may be larger than 2 MiB, and a layer of five.
    @Suite struct LargeBodies {
        @Test(arguments: [true, false])
        func `a layer goes in parts where the whole is too large`(isSaidEarly: Bool) async throws {
            let limit = 2 << 20
            let site = try await FaultSite(.push, layer: 5 << 20) { request, _ in
                let byteCount = request.header("Content-Length").flatMap { Int($0) } ?? .max
                guard FaultStep.putBlob.includes(request), byteCount > limit else { return nil }
                return isSaidEarly ? .tooLarge : .status(413)
            }
            let report = await site.run()
            FaultTable.current.note("413 above 2 MiB, \(isSaidEarly ? "early" : "late")", at: site, report)
            try await site.expectWhole(report)
            #expect(site.proxy.exchanges.contains { $0.request.method == "PATCH" })
            #expect(site.registry.storage.unfinishedUploads(repository: "app") == [])
        }
    }
}
