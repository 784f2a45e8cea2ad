import Glibc

/// The users of an htpasswd file with their hashes, as the file was at one moment.
struct HtpasswdFile: Sendable {
    /// The most bytes of a file: some ten thousand users.
    static let byteLimit = 1 << 20

    /// By the bytes of the name: Swift takes texts for equal that differ in how an accent is written.
    let hashes: [[UInt8]: PasswordHash]
    /// What an unknown user's password is compared with, so that it takes as long as a known one's.
    let nobody: PasswordHash
    /// The file at that moment.
    let stamp: FileStamp

    /// Reads a file.
    ///
    /// - Throws: ``HtpasswdError`` with the line.
    init(path: String) throws(HtpasswdError) {
        func failure(_ operation: String) -> HtpasswdError {
            HtpasswdError(code: .system(operation: operation, errno: errno), path: path, line: nil)
        }
        // A pipe without a writer would block here, before it could be told to be one.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("opening it") }
        defer { close(descriptor) }
        var status = Glibc.stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw failure("asking for its status") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw HtpasswdError(code: .notRegularFile, path: path, line: nil)
        }
        var bytes = [UInt8](repeating: 0, count: Self.byteLimit + 1)
        var count = 0
        while count < bytes.count {
            let done = unsafe bytes.withUnsafeMutableBytes { buffer in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return unsafe pread(descriptor, rest.baseAddress, rest.count, count)
            }
            if done == 0 { break }
            guard done > 0 || errno == EINTR else { throw failure("reading it") }
            count += max(0, done)
        }
        guard count <= Self.byteLimit else {
            throw HtpasswdError(code: .tooLarge(limit: Self.byteLimit), path: path, line: nil)
        }
        // What the file was before it was read: what is written meanwhile makes it another one.
        stamp = FileStamp(status)
        hashes = try Self.parse(bytes[..<count], path: path)
        nobody = PasswordHash(ofNobodyWithCost: hashes.values.map(\.cost).max() ?? PasswordHash.leastCost)
    }

    private static func parse(_ bytes: ArraySlice<UInt8>, path: String) throws(HtpasswdError) -> [[UInt8]: PasswordHash]
    {
        var hashes: [[UInt8]: PasswordHash] = [:]
        var lines: [[UInt8]: Int] = [:]
        let split = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, rest) in split.enumerated() {
            let line = rest.trimmed
            guard !line.isEmpty, line.first != UInt8(ascii: "#") else { continue }
            func failure(_ code: HtpasswdError.Code) -> HtpasswdError {
                HtpasswdError(code: code, path: path, line: index + 1)
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
                throw failure(.noUserName)
            }
            guard let user = String(validating: line[..<colon], as: UTF8.self) else { throw failure(.notUTF8) }
            let key = Array(line[..<colon])
            if let first = lines.updateValue(index + 1, forKey: key) {
                throw failure(.duplicateUser(user, firstLine: first))
            }
            do throws(PasswordHash.Flaw) {
                hashes[key] = try PasswordHash(parsing: line[(colon + 1)...])
            } catch {
                throw failure(error.code(of: user))
            }
        }
        // A file that somebody is just writing is empty for a moment, and an empty list would lock everybody out.
        guard !hashes.isEmpty else { throw HtpasswdError(code: .noUsers, path: path, line: nil) }
        return hashes
    }
}

/// What tells one state of a file from the next without reading it.
struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let byteCount: Int64
    private let modified: Moment
    private let changed: Moment

    private struct Moment: Hashable, Sendable {
        let seconds: Int
        let nanoseconds: Int

        init(_ time: timespec) {
            seconds = time.tv_sec
            nanoseconds = time.tv_nsec
        }
    }

    /// Takes the parts of a status that matter.
    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        byteCount = Int64(status.st_size)
        modified = Moment(status.st_mtim)
        changed = Moment(status.st_ctim)
    }

    /// Looks at a file; nil where there is none to be seen.
    init?(path: String) {
        var status = Glibc.stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// Whether the file was last changed long enough ago for a further change to show.
    ///
    /// The clocks of file systems are coarse, up to two seconds: two writes in one of their ticks look like one.
    var isSettled: Bool {
        var now = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0 else { return false }
        let age = now.tv_sec - max(modified.seconds, changed.seconds)
        // A time in the future is a wrong clock, which says nothing.
        return age > 2 || age < -2
    }
}

extension PasswordHash.Flaw {
    /// The flaw in the file.
    fileprivate func code(of user: String) -> HtpasswdError.Code {
        switch self {
        case .notBcrypt: .notBcrypt(user: user)
        case .malformed: .malformedHash(user: user)
        case .cost(let cost): .costOutOfRange(user: user, cost: cost)
        }
    }
}

extension ArraySlice<UInt8> {
    /// Without the spaces, tabs and carriage returns at its ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }
        guard let last = lastIndex(where: { !isBlank($0) }) else { return [] }
        return self[...last].drop(while: isBlank)
    }
}
