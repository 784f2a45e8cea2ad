import ArgumentParser
import Glibc

/// An address and a port to listen at, as they are written: `127.0.0.1:5000`, `[::1]:5000`.
struct ListenAddress: ExpressibleByArgument {
    let host: String
    let port: Int

    var defaultValueDescription: String { "\(host):\(port)" }

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = argument[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: Int(port))
    }
}

/// A time span with its unit: `90s`, `30m`, `24h`, `7d`.
struct Interval: ExpressibleByArgument {
    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 24 * 3600]

    let duration: Duration

    var defaultValueDescription: String {
        let seconds = duration.components.seconds
        return seconds % 3600 == 0 ? "\(seconds / 3600)h" : "\(seconds / 60)m"
    }

    init(duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let unit = argument.last.flatMap({ Self.units[$0] }), let count = UInt32(argument.dropLast()) else {
            return nil
        }
        duration = .seconds(Int64(count) * unit)
    }
}

/// What is under a path.
enum FileKind {
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether it is a directory that has an OCI image layout in it.
    static func isLayout(_ path: String) -> Bool { exists(path + "/oci-layout") }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

/// How many files the process may have open.
enum OpenFileLimit {
    /// Raises the limit to the most that is allowed: a connection has a socket and mostly a file.
    static func raise() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it may not be raised, the server still works, with fewer connections.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// stdout cannot be written.
struct OutputError: Error, CustomStringConvertible {
    let errno: Int32
    var description: String { "writing to stdout: \(unsafe String(cString: strerror(errno)).lowercased())" }
}
