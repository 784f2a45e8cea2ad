import Drayage
import RegistryTestSupport
import TestSupport
import Testing

/// Each fault by itself, on every request once: what comes of it is the right bytes.
@Suite(.timeLimit(.minutes(3))) struct FaultTableTests {
    /// What happens to a request when it is asked for the first time.
    enum FaultOnce: String, CaseIterable, Sendable {
        case refused = "connection refused"
        case reset = "reset before the answer"
        case resetInside = "reset in the body"
        case truncated = "body too short, with the right length"
        case shortened = "body too short, and its length too"
        case flipped = "a flipped byte"
        case http10 = "HTTP/1.0, closed after it"
        case timeout = "408"
        case tooEarly = "425"
        case tooMany = "429"
        case tooManyInSeconds = "429, Retry-After in seconds"
        case tooManyByDate = "429, Retry-After as a date"
        case serverError = "500"
        case badGateway = "502"
        case unavailable = "503"
        case gatewayTimeout = "504"

        var fault: FaultProxy.Fault {
            switch self {
            case .refused: .refused(for: .milliseconds(300))
            case .reset: .transfer(.resetBeforeHead)
            case .resetInside: .transfer(.reset(after: 100))
            case .truncated: .transfer(.truncated(after: 100))
            case .shortened: .shortened(to: 100)
            case .flipped: .flipped(at: 100)
            case .http10: .http10
            case .timeout: .status(408)
            case .tooEarly: .status(425)
            case .tooMany: .status(429)
            case .tooManyInSeconds: .status(429, retryAfter: .seconds(1))
            case .tooManyByDate: .status(429, retryAfter: .date(secondsFromNow: 1))
            case .serverError: .status(500)
            case .badGateway: .status(502)
            case .unavailable: .status(503)
            case .gatewayTimeout: .status(504)
            }
        }
    }

    private let workshop: Workshop
    private let (source, target): (EmbeddedRegistry, EmbeddedRegistry)
    private let image: TestImage

    init() async throws {
        var workshop = try Workshop()
        workshop.connections.retryLimit = 8
        self.workshop = workshop
        (source, target) = (try await EmbeddedRegistry(), try await EmbeddedRegistry())
        var builder = ImageBuilder(seed: 550)
        image = try builder.multiPlatform(sharing: [builder.layer(byteCount: 200_000)])
        try source.add(image, "app")
    }

    @Test(arguments: FaultOnce.allCases)
    func `a bundle is whole`(fault: FaultOnce) async throws {
        let proxy = try FaultProxy(to: source.address) { _, count in count == 1 ? fault.fault : nil }
        let report = try await workshop.bundle(["\(proxy.address)/app:1"])
        #expect(report.outcome == .done, "\(report.failures)")
        #expect(try await workshop.verify().failures.map(\.message) == [])
        print("bundle: \(fault.rawValue): whole, after \(proxy.exchanges.count) requests")
    }

    @Test(arguments: FaultOnce.allCases)
    func `a push is whole`(fault: FaultOnce) async throws {
        _ = try await workshop.bundle(["\(source.address)/app:1"])
        let proxy = try FaultProxy(to: target.address) { _, count in count == 1 ? fault.fault : nil }
        let report = try await workshop.push(to: proxy.address)
        #expect(report.outcome == .done, "\(report.failures)")
        // An upload that was given up is cancelled, unless that fails as well; the registry forgets it in time.
        #expect(try target.storage.digest(ofTag: "1", repository: "app") == image.digest)
        #expect(try target.storage.revisions(repository: "app") == Set(image.documents.map(\.digest)))
        for (digest, bytes) in try image.allBytes { #expect(try target.storage.bytes(digest) == bytes) }
        print("push: \(fault.rawValue): whole, after \(proxy.exchanges.count) requests")
    }

    @Test func `a fault that never ends is told, with how often it was tried, and leaves nothing visible`() async throws
    {
        var workshop = workshop
        workshop.connections.retryLimit = 2
        let proxy = try FaultProxy(to: source.address) { request, _ in
            request.path.contains("/blobs/") ? .status(503) : nil
        }
        let report = try await workshop.bundle(["\(proxy.address)/app:1"])
        #expect(report.outcome == .failed)
        let message = report.failures.first?.message ?? ""
        #expect(message.contains("answered 503") && message.contains("tried 3 times"), "\(message)")
        #expect(try workshop.scratch.names() == [])
    }
}
