import Foundation
package import OCI
import Synchronization

/// What a ``ScriptedRegistry`` that behaves has: images in memory, behind the routes of the distribution specification.
///
/// A test that wants one thing to go wrong answers that one request itself and leaves the others to ``answer(_:)``:
///
///     let content = RegistryContent()
///     try content.add(image, repository: "app", tag: "1")
///     let registry = try ScriptedRegistry { request in
///         request.path.contains("/blobs/") ? Answer(500) : content.answer(request)
///     }
package final class RegistryContent: Sendable {
    /// How the `Location` of an upload is written.
    package enum UploadLocation: Sendable {
        /// A path, with a query that must be kept.
        case relative
        /// A whole URL of the host that was asked.
        case absolute
        /// A whole URL of another `host:port`.
        case otherHost(String)
    }

    /// What `DELETE` of a manifest does.
    package enum Deletion: Sendable {
        /// Nothing.
        case off
        /// By digest the manifest goes with its tags; by tag nothing does.
        case byDigest
        /// By tag the manifest goes too, as some registries have it, with all its tags.
        case byTagWithManifest
    }

    struct Stored {
        var blobs: [Digest: [UInt8]] = [:]
        var manifests: [Digest: [UInt8]] = [:]
        var mediaTypes: [Digest: String] = [:]
        var tags: [String: Digest] = [:]
        var putOrder: [String] = []
    }

    struct State {
        var repositories: [String: Stored] = [:]
        var uploads: [String: String] = [:]
        var uploadNumber = 0
    }

    let state = Mutex(State())
    let pageSize: Int
    let uploadLocation: UploadLocation
    let allowsMount: Bool
    let deletion: Deletion
    let takesSparseIndexes: Bool

    /// An empty registry.
    ///
    /// - Parameters:
    ///   - pageSize: how many tags or repositories there are on a page at most.
    ///   - uploadLocation: how the `Location` of an upload is written.
    ///   - allowsMount: whether blobs can be mounted from one repository into another.
    ///   - deletion: what `DELETE` of a manifest does.
    ///   - takesSparseIndexes: whether an index may name manifests that are not there.
    package init(
        pageSize: Int = 100,
        uploadLocation: UploadLocation = .relative,
        allowsMount: Bool = true,
        deletion: Deletion = .off,
        takesSparseIndexes: Bool = false
    ) {
        self.takesSparseIndexes = takesSparseIndexes
        self.pageSize = pageSize
        self.uploadLocation = uploadLocation
        self.allowsMount = allowsMount
        self.deletion = deletion
    }

    /// Puts an image into a repository.
    package func add(_ image: TestImage, repository: String, tag: String? = nil) throws {
        for blob in image.blobs { try add(blob, repository: repository) }
        change(repository) { stored in
            for document in image.documents {
                stored.manifests[document.digest] = document.bytes
                stored.mediaTypes[document.digest] = document.mediaType.rawValue
            }
            if let tag { stored.tags[tag] = image.digest }
        }
    }

    /// Puts a blob into a repository.
    package func add(_ blob: TestBlob, repository: String) throws {
        let bytes = try blob.bytes
        change(repository) { $0.blobs[blob.digest] = bytes }
    }

    /// Every repository, sorted.
    package var repositories: [String] { state.withLock { $0.repositories.keys.sorted() } }

    /// What a tag points at.
    package func digest(ofTag tag: String, repository: String) -> Digest? { look(repository)?.tags[tag] }

    /// The bytes of a blob of a repository.
    package func blob(_ digest: Digest, repository: String) -> [UInt8]? { look(repository)?.blobs[digest] }

    /// The bytes of a manifest of a repository.
    package func manifest(_ digest: Digest, repository: String) -> [UInt8]? { look(repository)?.manifests[digest] }

    /// The tags and digests under which manifests were put into a repository, in the order of the requests.
    package func putOrder(repository: String) -> [String] { look(repository)?.putOrder ?? [] }

    func look(_ repository: String) -> Stored? { state.withLock { $0.repositories[repository] } }

    func change(_ repository: String, _ body: (inout Stored) -> Void) {
        state.withLock { body(&$0.repositories[repository, default: Stored()]) }
    }
}
