import Foundation

/// Debian's `tinyproxy`, run for one test on an address of its own.
///
/// It ends with the value.
package final class TinyProxy: Sendable {
    /// The host and the port.
    package let address: String
    private let scratch: ScratchDirectory
    private let server: HeldServer

    /// Starts a proxy and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - user: who may use it; everybody where it is nil.
    ///   - connectPort: the only port that it connects to for TLS; any where it is nil.
    /// - Throws: ``MissingToolError`` without the tool, ``HeldServerError`` when it does not start.
    package init(user: (name: String, password: String)? = nil, connectPort: Int? = nil) throws {
        let scratch = try ScratchDirectory()
        let address = HeldServer.freeAddress()
        let parts = address.split(separator: ":")
        var configuration = """
            Listen \(parts[0])
            Port \(parts[1])
            Timeout 600
            MaxClients 200
            LogFile "\(scratch.path("proxy.log"))"
            LogLevel Connect

            """
        if let user { configuration += "BasicAuth \(user.name) \(user.password)\n" }
        if let connectPort { configuration += "ConnectPort \(connectPort)\n" }
        let path = try scratch.write(configuration, to: "proxy.conf")
        server = try HeldServer("tinyproxy", ["-d", "-c", path], at: address, log: scratch.path("proxy.out"))
        self.scratch = scratch
        self.address = address
    }

    /// The requests that it was given, each as its first line: `CONNECT host:443 HTTP/1.1`, `GET http://host/ HTTP/1.1`.
    package var requests: [String] {
        let log = String(decoding: (try? scratch.read("proxy.log")) ?? [], as: UTF8.self)
        return log.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /Request \(file descriptor [0-9]+\): (.*)$/).map { String($0.1) }
        }
    }

    /// Everything that it wrote.
    package var log: String { String(decoding: (try? scratch.read("proxy.log")) ?? [], as: UTF8.self) }

    /// Ends the proxy.
    package func stop() { server.stop() }
}
