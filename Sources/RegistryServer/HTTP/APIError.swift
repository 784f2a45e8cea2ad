import FoundationEssentials
import NIOHTTP1
import OCI

/// An answer that is an error of the API.
///
/// Spec: distribution "Error Codes".
struct APIError: Error, Sendable {
    /// The codes of the specification, and `UNKNOWN`, which distribution uses for failures of its own.
    enum Code: String, Sendable {
        case blobUnknown = "BLOB_UNKNOWN"
        case blobUploadInvalid = "BLOB_UPLOAD_INVALID"
        case blobUploadUnknown = "BLOB_UPLOAD_UNKNOWN"
        case digestInvalid = "DIGEST_INVALID"
        case manifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
        case manifestInvalid = "MANIFEST_INVALID"
        case manifestUnknown = "MANIFEST_UNKNOWN"
        case nameInvalid = "NAME_INVALID"
        case nameUnknown = "NAME_UNKNOWN"
        case sizeInvalid = "SIZE_INVALID"
        case unauthorized = "UNAUTHORIZED"
        case denied = "DENIED"
        case unsupported = "UNSUPPORTED"
        case tooManyRequests = "TOOMANYREQUESTS"
        case unknown = "UNKNOWN"
    }

    let status: HTTPResponseStatus
    let code: Code
    /// What a person is told, which names nothing of the server's own, such as paths.
    let message: String
    var headers: HTTPHeaders = [:]
    /// What the operator is told besides, in the log alone.
    var cause: String?

    init(
        _ status: HTTPResponseStatus,
        _ code: Code,
        _ message: String,
        headers: HTTPHeaders = [:],
        cause: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.cause = cause
    }

    /// The answer, with the specification's JSON.
    var response: Response {
        struct Body: Encodable {
            struct Entry: Encodable {
                let code: String
                let message: String
            }
            let errors: [Entry]
        }
        var headers = headers
        headers.replaceOrAdd(name: "Content-Type", value: "application/json")
        let body = JSONBody.encode(Body(errors: [.init(code: code.rawValue, message: message.printable)]))
        return Response(status, headers: headers, body: .bytes(body))
    }
}

/// JSON that the server writes.
enum JSONBody {
    /// Encodes a value of this module, which always can be.
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        do {
            return Array(try encoder.encode(value))
        } catch {
            // Strings, numbers and arrays of them cannot fail to be encoded.
            preconditionFailure("encoding \(type(of: value)): \(error)")
        }
    }
}
