import Foundation

/// A proxy that stands between a client and a registry, and makes faults.
///
/// It takes connections on a free port of 127.0.0.1 and passes requests and answers on as they come, byte for byte, of
/// any length: the registry is told the `Host` that the client asked, so that it names itself by that. Where it names
/// itself by its own address nevertheless, in a `Location` or a `Link`, that is rewritten, so that redirects and upload
/// sessions come back through the proxy.
///
///     let proxy = try FaultProxy(to: registry.address) { request, count in
///         request.path.contains("/blobs/") && count == 1 ? .transfer(.reset(after: 1000)) : nil
///     }
///
/// Each connection has a thread of its own, and a request with a body a second one. The proxy ends with the value.
package final class FaultProxy: Sendable {
    /// Decides on a request, on the thread of its connection: nil lets it pass as it is.
    ///
    /// It is given the request's head and how often the same was asked, with this time. What is the same says
    /// ``key(of:)``.
    package typealias Script = @Sendable (_ request: Request, _ count: Int) -> Fault?

    /// `127.0.0.1:` and the port.
    package let address: String
    private let server: Server

    /// Starts to take connections.
    ///
    /// - Parameters:
    ///   - upstream: the registry, in plain HTTP: `127.0.0.1:` and the port.
    ///   - resetConnections: the numbers, from 1, of those connections that are reset before anything is read.
    ///   - script: decides on every request.
    /// - Throws: ``SystemError`` when there is no port to be had.
    package init(
        to upstream: String,
        resetConnections: Set<Int> = [],
        script: @escaping Script = { _, _ in nil }
    ) throws {
        let port = try Port()
        address = "127.0.0.1:\(port.number)"
        server = Server(port: port, upstream: upstream, resetConnections: resetConnections, script: script)
        // The threads hold the server, not this value: it can end, and end them.
        try server.listen()
    }

    deinit { stop() }

    /// Every request so far, in the order in which the heads were read, with what became of it.
    package var exchanges: [Exchange] { server.asked.withLock { $0.exchanges } }

    /// The connections that were taken so far.
    package var connectionCount: Int { server.state.withLock { $0.connectionCount } }

    /// Refuses every new connection from now on; those that were taken go on.
    package func refuseConnections() { server.refuse() }

    /// Takes connections again: as often as it was told to refuse them.
    package func takeConnections() throws { try server.endRefusal() }

    /// Closes the port and every connection.
    package func stop() { server.stop() }

    /// What counts as the same request: the method and the target.
    ///
    /// Of an upload session it is the repository and the digest, if it is told: a client that tries again has another
    /// session.
    package static func key(of request: Request) -> String {
        guard let match = request.path.firstMatch(of: /^(.*\/blobs\/uploads\/)./) else { return request.line }
        return "\(request.method) \(match.1)*?digest=\(request.query["digest"] ?? "")"
    }
}
