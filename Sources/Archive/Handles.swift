import CLibArchive

// The owners of libarchive's objects: one pointer each, freed at the end of the scope that holds it.

/// A reader of libarchive.
@safe
struct ReadHandle: ~Copyable {
    let pointer: OpaquePointer
    private let path: String

    private init(pointer: OpaquePointer, path: String) {
        unsafe self.pointer = unsafe pointer
        self.path = path
    }

    deinit { unsafe archive_read_free(pointer) }

    static func make(path: String) throws(ArchiveError) -> ReadHandle {
        guard let pointer = unsafe archive_read_new() else {
            throw ArchiveError(.library(operation: "starting libarchive", reason: "out of memory"), path: path)
        }
        return unsafe ReadHandle(pointer: pointer, path: path)
    }

    /// Throws libarchive's own text where a call did not succeed.
    func check(_ status: Int32, _ operation: String) throws(ArchiveError) {
        guard status != ARCHIVE_OK else { return }
        throw ArchiveError(.library(operation: operation, reason: reason), path: path)
    }

    /// libarchive's text for what went wrong last.
    var reason: String { unsafe text(archive_error_string(pointer)) }

    /// The name of the compression that was found.
    var filter: String { unsafe text(archive_filter_name(pointer, 0)) }
}

/// A writer of libarchive whose output ends after the header of an entry.
@safe
struct WriteHandle: ~Copyable {
    let pointer: OpaquePointer

    private init(pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    deinit {
        // Without this, closing it would complete the archive with zeros for the data that was not written.
        unsafe archive_write_fail(pointer)
        // What failed is not closed when it is freed, and then the buffer of its output is never freed.
        unsafe archive_write_close(pointer)
        unsafe archive_write_free(pointer)
    }

    static func make() throws(ArchiveError) -> WriteHandle {
        guard let pointer = unsafe archive_write_new() else {
            throw ArchiveError(.library(operation: "starting libarchive", reason: "out of memory"), path: nil)
        }
        return unsafe WriteHandle(pointer: pointer)
    }

    /// Throws libarchive's own text where a call did not succeed.
    func check(_ status: Int32, _ operation: String, entry: String? = nil) throws(ArchiveError) {
        guard status != ARCHIVE_OK else { return }
        let reason = unsafe text(archive_error_string(pointer))
        throw ArchiveError(.library(operation: operation, reason: reason), path: nil, entry: entry)
    }
}

/// What libarchive is told of an entry that is written.
@safe
struct EntryHandle: ~Copyable {
    let pointer: OpaquePointer

    private init(pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    deinit { unsafe archive_entry_free(pointer) }

    /// Describes a regular file: owned by 0:0, mode 0644, mtime 0.
    static func make(path: String, byteCount: Int64) throws(ArchiveError) -> EntryHandle {
        guard let pointer = unsafe archive_entry_new() else {
            throw ArchiveError(.library(operation: "starting libarchive", reason: "out of memory"), path: nil)
        }
        unsafe archive_entry_set_pathname(pointer, path)
        unsafe archive_entry_set_size(pointer, byteCount)
        unsafe archive_entry_set_filetype(pointer, drayage_file_type_regular())
        unsafe archive_entry_set_perm(pointer, 0o644)
        unsafe archive_entry_set_uid(pointer, 0)
        unsafe archive_entry_set_gid(pointer, 0)
        unsafe archive_entry_set_mtime(pointer, 0, 0)
        return unsafe EntryHandle(pointer: pointer)
    }
}

private func text(_ pointer: UnsafePointer<CChar>?) -> String {
    guard let pointer = unsafe pointer else { return "no reason given" }
    return unsafe String(cString: pointer)
}
