import Archive
import Glibc
import OCI

extension LayoutWriter {
    /// Makes the file one that was planned without some of its images, once every blob that is kept has been written.
    ///
    /// Blobs move towards the beginning within the file. This is the one case in which bytes are written twice.
    ///
    /// - Parameter plan: a plan for some of the images of the present one.
    /// - Throws: ``LayoutError`` with `notPlanned` when it has other content, else with the system's reason. The file is
    ///   good for nothing then but ``abandon()``.
    package func compact(to plan: LayoutPlan) throws(LayoutError) {
        try journal.beginCompaction()
        var sources = try sources(of: plan)
        try setAside(plan, &sources)
        for entry in plan.known { try partial.file.write(try plan.bytes(of: entry), at: entry.headerOffset) }
        for blob in plan.blobs {
            let size = blob.descriptor.size
            try partial.file.write(try headerBytes(of: blob), at: blob.headerOffset)
            try move(size, from: sources[blob.descriptor.digest] ?? blob.offset, to: blob.offset)
        }
        try Self.writeGaps(of: plan, in: partial)
        follow(plan)
    }

    /// Fills with zeros what lies between the blobs and behind them, and ends the file there.
    static func writeGaps(of plan: LayoutPlan, in partial: PartialFile) throws(LayoutError) {
        func writeZeros(_ count: Int, at offset: Int64) throws(LayoutError) {
            try partial.file.write([UInt8](repeating: 0, count: count), at: offset)
        }
        for blob in plan.blobs {
            let size = blob.descriptor.size
            try writeZeros(TarHeader.padding(after: size), at: blob.offset + size)
        }
        try writeZeros(Int(TarHeader.endByteCount), at: plan.byteCount - TarHeader.endByteCount)
        guard ftruncate(partial.file.descriptor, Int(plan.byteCount)) == 0 else {
            throw partial.file.failure("shortening it")
        }
    }

    /// Where the blobs of a new plan lie now.
    private func sources(of new: LayoutPlan) throws(LayoutError) -> [Digest: Int64] {
        var offsets: [Digest: Int64] = [:]
        for blob in plan.blobs { offsets[blob.descriptor.digest] = blob.offset }
        // What was a manifest of an image that is dropped may be a layer of one that stays.
        for entry in plan.known {
            if let digest = LayoutPath.digest(ofBlob: entry.path) { offsets[digest] = entry.offset }
        }
        for blob in new.blobs where offsets[blob.descriptor.digest] == nil {
            throw partial.file.error(.notPlanned(blob.descriptor.digest))
        }
        return offsets
    }

    /// Copies behind the end what would be overwritten before its turn.
    ///
    /// That is a blob that changes its group: a config of an image that is dropped and a layer of one that stays comes
    /// after other layers now, and a manifest that is a config elsewhere comes after all manifests. All others keep their order, so each only moves down, onto what has moved already.
    private func setAside(_ new: LayoutPlan, _ sources: inout [Digest: Int64]) throws(LayoutError) {
        // What lies among the documents has to make room for the new ones first.
        var last = plan.blobs.first?.headerOffset ?? plan.byteCount
        var end = plan.byteCount
        for blob in new.blobs {
            guard let source = sources[blob.descriptor.digest] else { continue }
            if source >= last {
                last = source
            } else {
                try move(blob.descriptor.size, from: source, to: end)
                sources[blob.descriptor.digest] = end
                end += blob.descriptor.size
            }
        }
    }

    private func move(_ count: Int64, from source: Int64, to target: Int64) throws(LayoutError) {
        guard source != target else { return }
        try partial.file.copy(from: partial.file, at: source, to: target, count: count)
    }
}
