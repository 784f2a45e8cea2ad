import Drayage
import TestSupport
import Testing

extension FaultTableTests {
    /// A layer that stalls at byte 2000, and a registry that answers the request for the rest with something else.
    @Suite struct Ranges {
        /// What comes instead of bytes 2000 to 2999 of 3000.
        enum Wrong: String, CaseIterable, Sendable {
            case ignored = "the whole"
            case other = "another range"
            case saidOther = "another Content-Range"
            case otherTotal = "the Content-Range of a longer blob"
            case unsaid = "no Content-Range"
            case otherBytes = "the bytes of another range"
            case unsatisfiable = "416"

            var fault: FaultProxy.Fault {
                switch self {
                case .ignored: .askingForRange(nil)
                case .other: .askingForRange("bytes=1000-")
                case .saidOther: .contentRange("bytes 1000-1999/3000")
                case .otherTotal: .contentRange("bytes 2000-2999/3001")
                case .unsaid: .contentRange(nil)
                case .otherBytes:
                    .altered(
                        request: [("Range", "bytes=1000-1999")],
                        answer: [("Content-Range", "bytes 2000-2999/3000")]
                    )
                case .unsatisfiable: .rangeNotSatisfiable(byteCount: 3000)
                }
            }
        }

        @Test(arguments: Wrong.allCases, [true, false])
        func `a wrong range makes the blob begin again`(wrong: Wrong, once: Bool) async throws {
            let isOver = Flag()
            let layer = try FaultSite.image().layers[0].digest
            var site = try await FaultSite(.bundle) { request, count in
                guard request.path.hasSuffix("/\(layer)"), !isOver.isSet else { return nil }
                if request.header("Range") != nil { return once && count > 2 ? nil : wrong.fault }
                return once && count > 1 ? nil : .transfer(.stalled(after: 2000))
            }
            // What comes with the end of its connection may be lost; this is not.
            site.workshop.connections.idleTimeout = .seconds(2)
            let report = await site.run(retryLimit: once ? 8 : 1)
            let ranges = site.proxy.exchanges.compactMap { $0.request.header("Range") }
            #expect(Set(ranges) == ["bytes=2000-"])
            let name = "stalled at byte 2000, then \(wrong.rawValue), \(once ? "once" : "each time")"
            FaultTable.current.note(name, at: site, report)
            // The whole has no other end than its own.
            guard !once, wrong != .ignored else { return try await site.expectWhole(report) }
            let texts = ["fetching the blob \(site.proxy.address)/app", "nothing moved for too long", "; tried "]
            try site.expectFailure(report, texts)
            isOver.set(true)
            try await site.expectWhole(await site.run())
        }
    }
}
