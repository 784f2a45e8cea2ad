import Drayage
import ImageLayout
import Logging
import TestSupport
import Testing

/// Ours, not that of the testing library.
typealias ExitStatus = Drayage.ExitStatus

/// A directory for bundles, and the use cases as a program that embeds them has them.
struct Workshop: Sendable {
    let scratch: ScratchDirectory
    var connections = ConnectionOptions()
    /// Whether bundles have what refers to their images: where requests are counted, it is not looked for.
    var includesReferrers = true

    init() throws {
        scratch = try ScratchDirectory()
        // Whoever runs the tests may have credentials of their own.
        connections.environment = ["XDG_RUNTIME_DIR": scratch.path("no-session")]
        // Nor is the machine to say where images come from.
        connections.containersFolder = scratch.path("etc-containers")
        // What fails here fails for good.
        connections.retryLimit = 0
        connections.logger = Logger(label: "test") { _ in CheckedLog() }
    }

    func path(_ name: String = "bundle.tar") -> String { scratch.path(name) }

    func bundle(
        _ names: [String],
        to file: String = "bundle.tar",
        keepGoing: Bool = false,
        refresh: Bool = false,
        referrers: Bool? = nil,
        reuse: [String] = [],
        platforms: [String] = [],
        sparse: SparseIndexPolicy = .strip,
        foreign: ForeignLayerPolicy = .skip,
        policy: SignaturePolicy = SignaturePolicy(),
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        var options = Synchronizer.Options()
        options.platforms = try platforms.map { try #require(PlatformSelector(parsing: $0)) }
        options.sparseIndexes = sparse
        options.foreignLayers = foreign
        options.signaturePolicy = policy
        options.keepGoing = keepGoing
        options.refreshes = refresh
        options.includesReferrers = referrers ?? includesReferrers
        options.reusedBundles = reuse.map(path)
        let references = try names.map { try Reference(parsing: $0) }
        let synchronizer = Synchronizer(connections: connections, progress: progress)
        while true {
            do {
                return checked(try await synchronizer.bundle(references, to: path(file), options: options))
            } catch let error as LayoutError where error.code == .beingFilled(processID: nil) {
                // A program that another test is starting has every open file of this process for a moment.
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// The report, in which no secret is.
    private func checked(_ report: Report) -> Report {
        #expect(TestSecrets.found(in: Array(String(reflecting: report).utf8)) == [])
        return report
    }

    func push(
        _ file: String = "bundle.tar",
        to target: String,
        keepHost: Bool = false,
        onExisting: Pusher.ExistingTagPolicy = .overwrite,
        dryRun: Bool = false,
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        var options = Pusher.Options()
        options.onExisting = onExisting
        options.isDryRun = dryRun
        let mapping = NameMapping(target: try RegistryTarget(parsing: target), keepsHost: keepHost)
        return checked(
            try await Pusher(connections: connections, progress: progress)
                .push(bundle: path(file), to: mapping, options: options)
        )
    }

    func verify(
        _ file: String = "bundle.tar",
        deep: Bool = false,
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        checked(try await Verifier(connections: connections, progress: progress).verify(bundle: path(file), deep: deep))
    }

    func verify(_ file: String = "bundle.tar", at target: String) async throws -> Report {
        let mapping = NameMapping(target: try RegistryTarget(parsing: target))
        return checked(try await Verifier(connections: connections).verify(bundle: path(file), at: mapping))
    }
}

/// A log that nobody reads, and in which no secret may be.
private struct CheckedLog: LogHandler {
    // Everything is looked at.
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        for secret in TestSecrets.found(in: Array("\(event.message)".utf8)) {
            Issue.record("\(secret) is in the log: \(event.message)")
        }
    }
}
