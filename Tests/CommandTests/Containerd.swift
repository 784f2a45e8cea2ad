import Foundation
import TestSupport

/// Debian's containerd with everything of its own in a scratch directory; it ends with the value.
final class Containerd {
    let address: String
    private let running: RunningCommand
    private let scratch: ScratchDirectory

    init(in scratch: ScratchDirectory) throws {
        self.scratch = scratch
        address = scratch.path("containerd.sock")
        let configuration = """
            version = 2
            root = "\(scratch.path("containerd/root"))"
            state = "\(scratch.path("containerd/state"))"
            disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
            [grpc]
            address = "\(address)"
            """
        let path = try scratch.write(configuration, to: "containerd/config.toml")
        running = try Command("containerd", ["--config", path], directory: scratch.path).start()
        guard running.waitForErrors(containing: "containerd successfully booted") else {
            running.signal(SIGTERM)
            throw StartError(log: running.wait().errorText)
        }
    }

    deinit {
        running.signal(SIGTERM)
        _ = running.wait()
    }

    private struct StartError: Error, CustomStringConvertible {
        let log: String
        var description: String { "containerd did not start: \(log)" }
    }
}
