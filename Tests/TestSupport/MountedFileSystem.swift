import Foundation

/// A small file system that is mounted for one test.
package final class MountedFileSystem: Sendable {
    /// Where it is mounted.
    package let path: String

    /// Whether mounting is possible here: for root only, and not in every container.
    package static let isPossible: Bool = {
        guard geteuid() == 0, let scratch = try? ScratchDirectory() else { return false }
        return (try? MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=64k", "none"])) != nil
    }()

    /// Whether a file with a file system in it can be mounted.
    package static let isPossibleOfImages: Bool = {
        guard isPossible, let scratch = try? ScratchDirectory() else { return false }
        return (try? image(in: scratch, at: "probe", byteCount: 1 << 20, ["mkfs.ext2", "-q"])) != nil
    }()

    /// Mounts a file system over a directory, with the arguments of `mount`.
    package init(at path: String, _ arguments: [String]) throws {
        self.path = path
        try Command("mount", arguments + [path]).check()
    }

    // Lazily: what a test has open in it may be closed only after this.
    deinit { _ = try? Command("umount", ["--lazy", path]).check() }

    /// Makes a file system in a sparse file and mounts it.
    ///
    /// - Parameters:
    ///   - scratch: where the file goes.
    ///   - name: the directory in it where the file system is mounted.
    ///   - byteCount: its size.
    ///   - maker: the tool that makes it, with its arguments.
    /// - Returns: the file system, mounted.
    /// - Throws: ``CommandFailure`` where it cannot be made or mounted.
    package static func image(
        in scratch: ScratchDirectory,
        at name: String,
        byteCount: Int64,
        _ maker: [String]
    ) throws -> MountedFileSystem {
        let (file, directory) = (scratch.path("\(name).image"), scratch.path(name))
        try Command("truncate", ["-s", "\(byteCount)", file]).check()
        try Command(maker[0], maker.dropFirst() + [file]).check()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return try MountedFileSystem(at: directory, ["-o", "loop", file])
    }

    /// Waits until no more than so many bytes of it are in use.
    ///
    /// What was removed keeps its space for as long as it is open, and a process that somebody else just starts has all of
    /// our files open until it is another program.
    ///
    /// - Returns: how many are in use in the end.
    package func usedByteCount(settlingAt byteCount: Int64) -> Int64 {
        for _ in 0..<3000 where usedByteCount > byteCount { usleep(10_000) }
        return usedByteCount
    }

    /// How many bytes of it are in use.
    package var usedByteCount: Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return -1 }
        return Int64((status.f_blocks - status.f_bfree) * status.f_frsize)
    }
}
