import CLinux
import Glibc
package import OCI

/// A bundle that is open for its damaged blobs to be put right in their places; nothing else of it is written.
///
/// What is interrupted leaves a blob damaged that was damaged before.
package final class LayoutRepair: Sendable {
    /// The bundle as it was when it was opened, or read again.
    package let reader: LayoutReader
    private let file: OpenFile

    /// Opens a bundle, and locks it against another repair.
    ///
    /// - Throws: ``LayoutError`` as when it is read, with `beingRepaired` where another run does, or with the system's
    ///   reason where it cannot be written.
    package init(path: String) throws {
        let reader = try LayoutReader(path: path)
        try reader.requireBundleFile()
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw LayoutError(.system(operation: "opening it for writing", errno: errno), .writing, path: path)
        }
        let file = OpenFile(descriptor: descriptor, path: path, operation: .writing)
        guard try file.status().isSameFile(as: reader.file.status()) else { throw file.error(.replaced) }
        guard linux_lock_exclusive(descriptor) == 0 else {
            guard errno == EAGAIN || errno == EACCES else { throw file.failure("locking it") }
            throw file.error(.beingRepaired)
        }
        self.reader = reader
        self.file = file
    }

    private init(reader: LayoutReader, file: OpenFile) {
        self.reader = reader
        self.file = file
    }

    /// The same bundle, read again: what a damaged manifest leads to is known only when that is whole.
    ///
    /// - Throws: ``LayoutError`` as when it is read, and with `replaced` where its name is another file's now.
    package func readAgain() throws -> LayoutRepair {
        let reader = try LayoutReader(path: reader.path)
        guard try file.status().isSameFile(as: reader.file.status()) else { throw file.error(.replaced) }
        return LayoutRepair(reader: reader, file: file)
    }

    /// The place of a blob or a manifest.
    ///
    /// - Returns: nil where the bundle has no place for it, or one of another size.
    package func slot(for descriptor: Descriptor) -> LayoutSlot? {
        guard let range = reader.range(of: descriptor.digest), range.count == descriptor.size else { return nil }
        // Its header stays as it is.
        let blob = LayoutPlan.Blob(descriptor: descriptor, headerOffset: range.lowerBound, offset: range.lowerBound)
        return LayoutSlot(file: file, blob: blob, journal: nil, index: 0)
    }

    /// Puts a manifest in its place, whose bytes are verified.
    ///
    /// - Returns: whether there is a place for it.
    /// - Throws: ``LayoutError`` with the system's reason.
    package func write(_ document: Document) throws(LayoutError) -> Bool {
        guard let range = reader.range(of: document.descriptor.digest), range.count == document.bytes.count else {
            return false
        }
        try file.write(document.bytes, at: range.lowerBound)
        return true
    }

    /// Brings to disk what was written.
    package func sync() throws(LayoutError) { try file.syncData() }
}

extension LayoutReader {
    /// Refuses what has no places in which something could be put right.
    fileprivate func requireBundleFile() throws(LayoutError) {
        let reason: String? =
            switch form {
            case .tar: isCompressed ? "it is compressed" : nil
            case .directory: "it is a directory"
            case .dockerArchive: "it is an archive of docker save"
            }
        if let reason { throw file.error(.notRepairable(reason: reason)) }
    }
}
