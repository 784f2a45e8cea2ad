import Foundation

extension FaultProxy {
    /// A port of 127.0.0.1 that is ours whether somebody listens on it or not.
    ///
    /// While nobody does, connections are refused, and nobody else is given the port.
    final class Port: Sendable {
        let number: UInt16
        /// Is bound and never listens, which is what keeps the port.
        private let holder: Int32

        /// Takes a free port.
        init() throws {
            (holder, number) = try Self.bind(to: 0)
        }

        deinit { close(holder) }

        /// A socket that listens on the port.
        func listen() throws -> Int32 {
            let (descriptor, _) = try Self.bind(to: number)
            guard Foundation.listen(descriptor, 1024) == 0 else {
                defer { close(descriptor) }
                throw SystemError("listening on port \(number)")
            }
            return descriptor
        }

        private static func bind(to port: UInt16) throws -> (descriptor: Int32, port: UInt16) {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw SystemError("making a socket") }
            // The holder and the listener share the port, and those of the connections that have ended.
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            address.sin_port = port.bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    let result = Foundation.bind(descriptor, address, length)
                    getsockname(descriptor, address, &length)
                    return result
                }
            }
            guard result == 0 else {
                defer { close(descriptor) }
                throw SystemError("binding to port \(port)")
            }
            return (descriptor, UInt16(bigEndian: address.sin_port))
        }
    }
}
