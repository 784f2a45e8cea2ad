import CLibCrypto

/// A public key as OpenSSL has it, for as long as one check lasts.
///
/// Whatever it does leaves nothing in OpenSSL's queue of errors: the next who looks there would take it for their own.
@safe
struct KeyHandle: ~Copyable {
    private let pointer: OpaquePointer

    /// Reads a key; nil where the bytes are no `SubjectPublicKeyInfo`, or have something after it.
    init?(der: [UInt8]) {
        let parsed: OpaquePointer? = unsafe der.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var next: UnsafePointer<UInt8>? = unsafe start
            guard let key = unsafe d2i_PUBKEY(nil, &next, buffer.count) else { return nil }
            guard unsafe next == start + buffer.count else {
                unsafe EVP_PKEY_free(key)
                return nil
            }
            return unsafe key
        }
        ERR_clear_error()
        guard let parsed = unsafe parsed else { return nil }
        unsafe pointer = parsed
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// What it signs with; nil where that is none of what is taken.
    var algorithm: PublicKey.Algorithm? {
        switch unsafe EVP_PKEY_get_base_id(pointer) {
        case EVP_PKEY_ED25519: .ed25519
        case EVP_PKEY_EC where group == "prime256v1": .ecdsaP256
        default: nil
        }
    }

    /// What it is for, in words.
    var algorithmName: String {
        switch unsafe EVP_PKEY_get_base_id(pointer) {
        case EVP_PKEY_EC: return "ECDSA on \(Self.customaryName(of: group))"
        default:
            guard let name = unsafe EVP_PKEY_get0_type_name(pointer) else { return "an unknown algorithm" }
            return unsafe String(cString: name)
        }
    }

    /// Whether the key is one at all: OpenSSL reads the point at infinity too, for which anybody can sign.
    var isValid: Bool {
        let context = unsafe EVP_PKEY_CTX_new(pointer, nil)
        defer {
            unsafe EVP_PKEY_CTX_free(context)
            ERR_clear_error()
        }
        return unsafe EVP_PKEY_public_check(context) == 1
    }

    /// Whether a signature of a message is this key's.
    func verifies(_ signature: [UInt8], of message: [UInt8], with algorithm: PublicKey.Algorithm) -> Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer {
            unsafe EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        // Ed25519 has its digest within.
        let method = unsafe algorithm == .ecdsaP256 ? EVP_sha256() : nil
        guard unsafe context != nil, unsafe EVP_DigestVerifyInit(context, nil, method, nil, pointer) == 1 else {
            return false
        }
        // Anything but 1 is a no: 0 is a wrong signature, what is below it a malformed one.
        return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// What people call a curve.
    private static func customaryName(of group: String?) -> String {
        switch group {
        case "secp224r1": "P-224"
        case "secp384r1": "P-384"
        case "secp521r1": "P-521"
        default: group ?? "a curve without a name"
        }
    }

    /// The name of the curve in OpenSSL's words; nil where it has none.
    private var group: String? {
        var name = [CChar](repeating: 0, count: 64)
        var length = 0
        let found = unsafe EVP_PKEY_get_group_name(pointer, &name, name.count, &length) == 1
        ERR_clear_error()
        guard found else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
