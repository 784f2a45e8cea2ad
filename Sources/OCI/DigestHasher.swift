import CLibCrypto

/// OpenSSL could not compute a digest.
public struct DigestHasherError: Error, Sendable, CustomStringConvertible {
    /// The algorithm that was asked for.
    public let algorithm: Digest.Algorithm
    /// OpenSSL's own text.
    public let reason: String

    /// One line: operation, subject, cause.
    public var description: String { "computing a \(algorithm.rawValue) digest: OpenSSL: \(reason)" }
}

/// Computes a digest of bytes as they pass.
///
/// It goes through OpenSSL's EVP interface, which uses the processor's SHA extensions. A failure of OpenSSL is kept and
/// thrown by ``finish()``, so that the hot path has nothing to check.
@safe
package final class DigestHasher {
    private let algorithm: Digest.Algorithm
    private let context: OpaquePointer?
    private var failed: Bool

    /// OpenSSL's own methods, as numbers, which threads may share.
    ///
    /// Without them it would look for one with each digest, which takes longer than the digest of a small blob.
    private static let sha256 = unsafe UInt(bitPattern: EVP_MD_fetch(nil, "SHA256", nil))
    private static let sha512 = unsafe UInt(bitPattern: EVP_MD_fetch(nil, "SHA512", nil))

    /// Starts a digest.
    package init(algorithm: Digest.Algorithm) {
        self.algorithm = algorithm
        let context = unsafe EVP_MD_CTX_new()
        let method = unsafe OpaquePointer(bitPattern: algorithm == .sha256 ? Self.sha256 : Self.sha512)
        unsafe self.context = context
        failed = unsafe EVP_DigestInit_ex(context, method, nil) != 1
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes.
    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !failed else { return }
        failed = unsafe EVP_DigestUpdate(context, start, bytes.count) != 1
    }

    /// Ends the digest; the hasher is not to be used after.
    ///
    /// - Throws: ``DigestHasherError`` when any step failed.
    package func finish() throws(DigestHasherError) -> Digest {
        var value = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        if !failed {
            failed = unsafe EVP_DigestFinal_ex(context, &value, &length) != 1
        }
        guard !failed else { throw DigestHasherError(algorithm: algorithm, reason: Self.lastError()) }
        return Digest(algorithm: algorithm, value: value.prefix(Int(length)))
    }

    private static func lastError() -> String {
        var text = [CChar](repeating: 0, count: 256)
        unsafe ERR_error_string_n(ERR_get_error(), &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
