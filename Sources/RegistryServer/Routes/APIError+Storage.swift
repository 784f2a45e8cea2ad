import NIOHTTP1
import OCI
import RegistryDirectory

extension APIError {
    /// What a client is told of a failure below the API, and what the operator is told besides.
    init(storing error: any Error) {
        if let error = error as? DirectoryError {
            self.init(directory: error)
        } else {
            self.init(.internalServerError, .unknown, "the registry failed; its log says why", cause: "\(error)")
        }
    }

    private init(directory error: DirectoryError) {
        switch error.code {
        case .wrongDigest(let expected, let actual):
            self.init(.badRequest, .digestInvalid, "what was sent as \(expected) is \(actual)")
        case .superseded:
            self.init(.conflict, .blobUploadInvalid, "another request has taken this upload over")
        case .busy:
            self.init(.conflict, .blobUploadInvalid, "this upload is being stored")
        case .uploadEnded:
            self.init(.notFound, .blobUploadUnknown, "this upload has ended")
        case .readOnly:
            self.init(.methodNotAllowed, .unsupported, "this registry is read-only")
        case .noSpace:
            self.init(.insufficientStorage, .denied, "the registry's disk is full", cause: error.description)
        default:
            self.init(
                .internalServerError,
                .unknown,
                "the registry's storage failed; its log says why",
                cause: error.description
            )
        }
    }
}
