/// Debian's `microsocks`, run for one test on an address of its own.
///
/// It ends with the value.
package final class SOCKSProxy: Sendable {
    /// The host and the port.
    package let address: String
    private let scratch: ScratchDirectory
    private let server: HeldServer

    /// Starts a proxy and waits until it takes connections.
    ///
    /// - Throws: ``MissingToolError`` without the tool, ``HeldServerError`` when it does not start.
    package init() throws {
        scratch = try ScratchDirectory()
        address = HeldServer.freeAddress()
        let parts = address.split(separator: ":").map(String.init)
        server = try HeldServer("microsocks", ["-i", parts[0], "-p", parts[1]], at: address, log: scratch.path("log"))
    }

    /// What it wrote: a line for each connection that it made.
    package var log: String { String(decoding: (try? scratch.read("log")) ?? [], as: UTF8.self) }
}
