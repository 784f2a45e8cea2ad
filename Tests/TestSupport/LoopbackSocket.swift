import Foundation

/// TCP on this machine by system calls: what the tests serve and ask with must not be the networking that they test.
enum LoopbackSocket {
    /// A socket that listens on a free port of 127.0.0.1.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let (descriptor, port) = try bind()
        guard Foundation.listen(descriptor, 1024) == 0 else {
            close(descriptor)
            throw SystemError("listening on 127.0.0.1")
        }
        return (descriptor, port)
    }

    /// A port of 127.0.0.1 on which nothing listens, and which nobody gets before the tests end: connections to it are
    /// refused.
    static func refusedPort() throws -> UInt16 { try bind().port }

    private static func bind() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = try make()
        var address = address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard withSocketAddress(&address, { Foundation.bind(descriptor, $0, length) }) == 0 else {
            close(descriptor)
            throw SystemError("binding to 127.0.0.1")
        }
        _ = withSocketAddress(&address) { getsockname(descriptor, $0, &length) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// Sends all bytes; false when the peer has gone.
    static func send(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Receives what there is; nil when the peer has gone.
    static func receive(from descriptor: Int32, atMost limit: Int = 256 << 10) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            var count = recv(descriptor, buffer.baseAddress, limit, 0)
            while count < 0, errno == EINTR { count = recv(descriptor, buffer.baseAddress, limit, 0) }
            initialized = max(0, count)
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Lets the next `close` reset the connection instead of ending it.
    static func resetOnClose(_ descriptor: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// A connection to an `address:port` of this machine.
    static func connect(to host: String) throws -> Int32 {
        let descriptor = try make()
        let parts = host.split(separator: ":")
        var address = address(port: parts.last.flatMap { UInt16($0) } ?? 0)
        if let own = parts.first, inet_aton(String(own), &address.sin_addr) == 0 {
            close(descriptor)
            throw SystemError("reading the address \(host)")
        }
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard withSocketAddress(&address, { Foundation.connect(descriptor, $0, length) }) == 0 else {
            let error = SystemError("connecting to \(host)")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The raw answer to a GET, read until the server closes.
    static func get(_ target: String, from host: String) throws -> [UInt8] {
        let descriptor = try connect(to: host)
        defer { close(descriptor) }
        guard send("GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8, to: descriptor) else {
            throw SystemError("asking \(host)")
        }
        var result: [UInt8] = []
        while let more = receive(from: descriptor) { result += more }
        return result
    }

    private static func make() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("making a socket") }
        return descriptor
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        return address
    }

    private static func withSocketAddress(
        _ address: inout sockaddr_in,
        _ body: (UnsafeMutablePointer<sockaddr>) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
        }
    }
}
