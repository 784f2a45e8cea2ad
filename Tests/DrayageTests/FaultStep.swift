import TestSupport

/// A job whose requests go through a proxy that makes faults.
enum FaultJob: String, CaseIterable, Sendable {
    case bundle
    case push
}

/// The requests of one kind in a job.
enum FaultStep: String, CaseIterable, Sendable {
    case fetchManifest = "GET of a manifest"
    case fetchBlob = "GET of a blob"
    case lookUp = "HEAD of a manifest"
    case openUpload = "POST of an upload"
    case putBlob = "PUT of a blob"
    case putManifest = "PUT of a manifest"

    /// The job that makes them.
    var job: FaultJob {
        switch self {
        case .fetchManifest, .fetchBlob: .bundle
        case .lookUp, .openUpload, .putBlob, .putManifest: .push
        }
    }

    /// What an error says was being done.
    var operation: String {
        switch self {
        case .fetchManifest: "fetching the manifest of"
        case .fetchBlob: "fetching the blob"
        case .lookUp: "looking up"
        case .openUpload, .putBlob: "uploading the blob"
        case .putManifest: "putting the manifest"
        }
    }

    /// Whether a request is one of them.
    func includes(_ request: Request) -> Bool {
        func asks(_ methods: String..., of collection: String) -> Bool {
            methods.contains(request.method) && request.path.contains(collection)
        }
        return switch self {
        case .fetchManifest: asks("GET", of: "/manifests/")
        case .fetchBlob: asks("GET", of: "/blobs/")
        case .lookUp: asks("HEAD", of: "/manifests/")
        case .openUpload: asks("POST", of: "/blobs/uploads/")
        case .putBlob: asks("PUT", "PATCH", of: "/blobs/uploads/")
        case .putManifest: asks("PUT", of: "/manifests/")
        }
    }
}
