import Archive
import Glibc
import OCI
import Synchronization

/// A bundle that is being filled, under the name `<path>.partial`.
///
/// Everything in it has its final place from the beginning, so that blobs are written in any order by any number of
/// threads. End it with ``seal()`` or ``abandon()``; a file that is left behind is taken over by the next run.
package final class LayoutWriter: Sendable {
    /// The name that the bundle is to have.
    package let path: String

    let partial: PartialFile
    private let replaceExisting: Bool
    private let current: Mutex<LayoutPlan>

    /// The plan that the file follows now.
    var plan: LayoutPlan { current.withLock { $0 } }

    /// Refuses a name that could not be sealed: better before anything is fetched for it.
    ///
    /// - Throws: ``LayoutError`` with `outputExists`, with `notRegularFile` where something else than a file is there, or
    ///   with the system's reason where no file can be made in its directory.
    package static func checkOutput(_ path: String, replacesExisting: Bool) throws(LayoutError) {
        let directory = parentDirectory(of: path)
        guard unsafe access(directory + "/.", W_OK | X_OK) == 0 else {
            let operation = "its directory \(directory)"
            throw LayoutError(.system(operation: operation, errno: errno), .writing, path: path)
        }
        guard let status = try linkStatus(of: path) else { return }
        if let kind = status.irregularKind { throw LayoutError(.notRegularFile(kind: kind), .writing, path: path) }
        guard replacesExisting else { throw LayoutError(.outputExists, .writing, path: path) }
    }

    /// Creates the file, reserves its space, and writes all that is known already: every header and every document.
    ///
    /// - Parameters:
    ///   - plan: what goes where.
    ///   - path: the name of the bundle.
    ///   - replaceExisting: whether a bundle of that name is replaced, in the moment of sealing.
    /// - Throws: ``LayoutError`` when the name is taken, another run is filling the file, there is no space for it, or
    ///   the system refuses something. Nothing is left behind then.
    package init(plan: LayoutPlan, path: String, replaceExisting: Bool) throws(LayoutError) {
        self.path = path
        self.replaceExisting = replaceExisting
        current = Mutex(plan)
        try Self.checkOutput(path, replacesExisting: replaceExisting)
        partial = try PartialFile.create(for: path)
        do {
            try partial.reserve(plan.byteCount)
            try writeKnown(plan)
            for blob in plan.blobs { try writeHeader(of: blob) }
        } catch {
            partial.remove()
            throw error
        }
    }

    /// The place of a blob of the plan.
    package func slot(for blob: LayoutPlan.Blob) -> LayoutSlot { LayoutSlot(file: partial.file, blob: blob) }

    /// Ends the file: everything is on disk before it appears under its name, whole.
    ///
    /// - Throws: ``LayoutError`` with `outputExists` when a file of that name appeared meanwhile and is not to be
    ///   replaced; else with the system's reason. The partial file is kept then.
    package func seal() throws(LayoutError) { try partial.publish(replaceExisting: replaceExisting) }

    /// Removes the file; after ``seal()`` it does nothing.
    package func abandon() { partial.remove() }

    /// Takes over a plan by which everything now is in its place.
    func follow(_ plan: LayoutPlan) { current.withLock { $0 = plan } }

    /// Writes what comes before the blobs, with headers and padding.
    func writeKnown(_ plan: LayoutPlan) throws(LayoutError) {
        for entry in plan.known {
            let bytes = try headerBytes(path: entry.path, byteCount: Int64(entry.bytes.count)) + entry.bytes
            let padding = TarHeader.padding(after: Int64(entry.bytes.count))
            try partial.file.write(bytes + [UInt8](repeating: 0, count: padding), at: entry.headerOffset)
        }
    }

    /// Writes the header of a blob.
    func writeHeader(of blob: LayoutPlan.Blob) throws(LayoutError) {
        let path = LayoutPath.blob(blob.descriptor.digest)
        try partial.file.write(try headerBytes(path: path, byteCount: blob.descriptor.size), at: blob.headerOffset)
    }
}
