import CZlib

/// Compression whose bytes depend on the content alone: the header holds no time and no name.
package enum Gzip {
    /// The bytes as one gzip member.
    package static func compress(_ bytes: [UInt8], level: Int32 = 1) throws -> [UInt8] {
        var stream = z_stream()
        guard drayage_deflate_init_gzip(&stream, level) == Z_OK else { throw GzipError() }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        var input = bytes
        return try input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            return try [UInt8](unsafeUninitializedCapacity: bound) { output, initialized in
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(bound)
                guard deflate(&stream, Z_FINISH) == Z_STREAM_END else { throw GzipError() }
                initialized = bound - Int(stream.avail_out)
            }
        }
    }
}

/// Zlib refused; it never does.
package struct GzipError: Error {}
