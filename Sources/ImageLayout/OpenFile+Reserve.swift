import CLinux
import Glibc
import OCI

extension OpenFile {
    /// Makes the file as long as it will be and reserves the space for it, or finds out that there is too little.
    ///
    /// Where the file system cannot reserve, its free space is compared. Nothing is filled with zeros either way.
    func reserve(_ byteCount: Int64) throws(LayoutError) {
        try checkProcessLimit(byteCount)
        // A file that an interrupted run left has some of its space already.
        let missing = max(0, byteCount - Int64(try status().st_blocks) * 512)
        let available = freeSpace()
        // First, because a reservation that fails would have taken everything that others could still use.
        guard missing <= available ?? missing else { throw noSpace(missing) }
        while linux_fallocate(descriptor, byteCount) != 0 {
            switch errno {
            case EINTR: continue
            case EOPNOTSUPP, ENOSYS: return try extend(byteCount)
            case ENOSPC: throw noSpace(missing)
            case EFBIG: throw error(.fileTooLarge(needed: byteCount, limit: nil))
            default: throw failure("reserving \(ByteText.size(byteCount))")
            }
        }
    }

    private func extend(_ byteCount: Int64) throws(LayoutError) {
        guard ftruncate(descriptor, Int(byteCount)) == 0 else {
            guard errno == EFBIG || errno == EINVAL else {
                throw failure("making it \(ByteText.size(byteCount)) long")
            }
            throw error(.fileTooLarge(needed: byteCount, limit: nil))
        }
    }

    /// Compares the process's own limit.
    ///
    /// To find it by writing would be to be killed by SIGXFSZ.
    private func checkProcessLimit(_ byteCount: Int64) throws(LayoutError) {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return }
        guard limit.rlim_cur >= UInt64(byteCount) else {
            throw error(.fileTooLarge(needed: byteCount, limit: Int64(clamping: limit.rlim_cur)))
        }
    }

    private func noSpace(_ needed: Int64) -> LayoutError {
        error(.noSpace(needed: needed, available: freeSpace() ?? 0))
    }

    /// How many bytes the file system has for us; nil where it does not say.
    ///
    /// The reserve of root is not for bundles.
    private func freeSpace() -> Int64? {
        var status = statvfs()
        guard unsafe fstatvfs(descriptor, &status) == 0, status.f_blocks > 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? nil : Int64(clamping: bytes)
    }
}
