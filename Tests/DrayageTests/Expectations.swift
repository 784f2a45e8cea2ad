import OCI
import TestSupport
import Testing

/// Expects a registry to have an image, under a tag if need be: every manifest and every blob, byte for byte.
func expect(
    _ storage: RegistryStorage,
    has image: TestImage,
    _ repository: String,
    tag: String? = nil,
    _ location: SourceLocation = #_sourceLocation
) throws {
    if let tag {
        #expect(try storage.digest(ofTag: tag, repository: repository) == image.digest, sourceLocation: location)
    }
    let revisions = try storage.revisions(repository: repository)
    #expect(revisions.isSuperset(of: image.documents.map(\.digest)), sourceLocation: location)
    for document in image.documents {
        #expect(try storage.bytes(document.digest) == document.bytes, sourceLocation: location)
    }
    for blob in image.blobs {
        #expect(storage.hasBlob(blob.digest, repository: repository), sourceLocation: location)
        #expect(try storage.bytes(blob.digest) == blob.bytes, sourceLocation: location)
    }
    #expect(storage.unfinishedUploads(repository: repository).isEmpty, sourceLocation: location)
}

/// The same of a registry in memory.
func expect(
    _ content: RegistryContent,
    has image: TestImage,
    _ repository: String,
    tag: String,
    _ location: SourceLocation = #_sourceLocation
) throws {
    #expect(content.digest(ofTag: tag, repository: repository) == image.digest, sourceLocation: location)
    for document in image.documents {
        let manifest = content.manifest(document.digest, repository: repository)
        #expect(manifest == document.bytes, sourceLocation: location)
    }
    for blob in image.blobs {
        let bytes = content.blob(blob.digest, repository: repository)
        #expect(try bytes == blob.bytes, sourceLocation: location)
    }
}

/// Waits for what another thread does; the suite's time limit is the bound.
func until(_ condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(2)) }
}
