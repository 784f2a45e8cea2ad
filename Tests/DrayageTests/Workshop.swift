import Drayage
import ImageLayout
import TestSupport

/// Ours, not that of the testing library.
typealias ExitStatus = Drayage.ExitStatus

/// A directory for bundles, and the use cases as a program that embeds them has them.
struct Workshop: Sendable {
    let scratch: ScratchDirectory
    var connections = ConnectionOptions()

    init() throws {
        scratch = try ScratchDirectory()
        // Whoever runs the tests may have credentials of their own.
        connections.environment = ["XDG_RUNTIME_DIR": scratch.path("no-session")]
        // Nor is the machine to say where images come from.
        connections.containersFolder = scratch.path("etc-containers")
        // What fails here fails for good.
        connections.retryLimit = 0
    }

    func path(_ name: String = "bundle.tar") -> String { scratch.path(name) }

    func bundle(
        _ names: [String],
        to file: String = "bundle.tar",
        keepGoing: Bool = false,
        refresh: Bool = false,
        reuse: [String] = [],
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        var options = Synchronizer.Options()
        options.keepGoing = keepGoing
        options.refreshes = refresh
        options.reusedBundles = reuse.map(path)
        let references = try names.map { try Reference(parsing: $0) }
        let synchronizer = Synchronizer(connections: connections, progress: progress)
        while true {
            do {
                return try await synchronizer.bundle(references, to: path(file), options: options)
            } catch let error as LayoutError where error.code == .beingFilled(processID: nil) {
                // A program that another test is starting has every open file of this process for a moment.
                try await Task.sleep(for: .milliseconds(5))
            }
        }
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
        return try await Pusher(connections: connections, progress: progress)
            .push(bundle: path(file), to: mapping, options: options)
    }

    func verify(
        _ file: String = "bundle.tar",
        deep: Bool = false,
        progress: @escaping ProgressHandler = { _ in }
    ) async throws -> Report {
        try await Verifier(connections: connections, progress: progress).verify(bundle: path(file), deep: deep)
    }

    func verify(_ file: String = "bundle.tar", at target: String) async throws -> Report {
        let mapping = NameMapping(target: try RegistryTarget(parsing: target))
        return try await Verifier(connections: connections).verify(bundle: path(file), at: mapping)
    }
}
