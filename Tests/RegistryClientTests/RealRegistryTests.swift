import OCI
import RegistryClient
import RegistryTestSupport
import TestSupport
import Testing

/// Against our own registry and Debian's `docker-registry`, which knows nothing of our ideas of it.
@Suite(.tags(.interop)) struct RealRegistryTests {
    /// With and without a password and TLS.
    @Test(
        arguments: RegistryKind.allCases,
        [false, true].flatMap { isGuarded in ImageBuilder.Family.allCases.map { (isGuarded, $0) } }
    )
    func `images go in and come out`(kind: RegistryKind, form: (isGuarded: Bool, family: ImageBuilder.Family))
        async throws
    {
        let user = form.isGuarded ? (name: "me", password: "secret") : nil
        let registry = try await kind.start(.init(user: user, usesTLS: form.isGuarded))
        let repository = try registry.repository("some/app")
        var builder = ImageBuilder(family: form.family)
        let large = try builder.opaqueLayer(byteCount: (5 << 20) + 1)
        let image = try builder.multiPlatform(sharing: [large])
        let file = try OpenBlob(image.blobs)
        try await withClient(registry.configuration()) { client in
            for (blob, range) in zip(image.blobs, file.ranges) {
                let before = try await client.hasBlob(blob.descriptor, in: repository)
                try await client.putBlob(blob.descriptor, to: repository, from: range) { _ in }
                let after = try await client.hasBlob(blob.descriptor, in: repository)
                #expect(!before && after)
            }
            for document in image.documents {
                let value = try Document(bytes: document.bytes, declaredType: document.mediaType)
                try await client.putManifest(value, as: .digest(document.digest), in: repository)
                let fetched = try await client.fetchManifest(
                    .digest(document.digest),
                    in: repository,
                    expected: document.descriptor
                )
                #expect(fetched.bytes == document.bytes)
                #expect(fetched.descriptor == document.descriptor)
            }
            let index = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
            try await client.putManifest(index, as: .tag(Tag(parsing: "1.0")), in: repository)
            let resolved = try await client.headManifest(.tag(Tag(parsing: "1.0")), in: repository)
            let missing = try await client.headManifest(.tag(Tag(parsing: "2.0")), in: repository)
            #expect(resolved == image.digest && missing == nil)
            for blob in image.blobs {
                let received = Received()
                try await client.fetchBlob(blob.descriptor, from: repository, into: received.take)
                #expect(received.bytes == (try blob.bytes))
            }
            let tags = try await client.tags(of: repository)
            let repositories = try await client.repositories(of: registry.address)
            #expect(tags == ["1.0"] && repositories == ["some/app"])
        }
        #expect(try registry.storage.digest(ofTag: "1.0", repository: "some/app") == image.digest)
        for (digest, bytes) in try image.allBytes { #expect(try registry.storage.bytes(digest) == bytes) }
        #expect(registry.storage.unfinishedUploads(repository: "some/app").isEmpty)
    }

    @Test(arguments: RegistryKind.allCases)
    func `a blob is mounted from where it is, and uploaded where it is not`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let (source, target) = (try registry.repository("from/here"), try registry.repository("to"))
        let (here, absent) = (try TestBlob.random(5000), try TestBlob.random(5000, seed: 2))
        try registry.storage.add(here, repository: "from/here")
        let file = try OpenBlob(absent)
        try await withClient { client in
            let mounted = try await client.mountBlob(here.digest, from: source, to: target)
            #expect(mounted == .mounted)
            guard case .uploadOpened(let session) = try await client.mountBlob(absent.digest, from: source, to: target)
            else {
                Issue.record("it was mounted from nowhere")
                return
            }
            try await client.putBlob(absent.descriptor, to: target, from: file.range, session: session) { _ in }
        }
        for blob in [here, absent] {
            #expect(registry.storage.hasBlob(blob.digest, repository: "to"))
            #expect(try registry.storage.bytes(blob.digest) == (try blob.bytes))
        }
        let requests = try await registry.finish().map { "\($0.method) \($0.status)" }
        #expect(requests.sorted() == ["POST 201", "POST 202", "PUT 201"])
    }

    @Test(arguments: RegistryKind.allCases, [false, true])
    func `a wrong password, or none, is told`(kind: RegistryKind, hasCredentials: Bool) async throws {
        let registry = try await kind.start(.init(user: ("me", "secret"), usesTLS: true))
        let repository = try registry.repository()
        var configuration = registry.configuration(signedIn(as: "me", "hunter2"))
        if !hasCredentials { configuration.credentials = { _, _, _ in nil } }
        let error = try await clientFailure(configuration) { try await $0.tags(of: repository) }
        #expect(error.code == .unauthorized)
        #expect(error.subject == repository.description)
        #expect(error.description.contains(registry.address))
        #expect(!error.description.contains("hunter2"))
        #expect(error.status == (hasCredentials ? 401 : nil))
    }

    @Test(arguments: RegistryKind.allCases)
    func `what is not there is not found, and what is wrong is refused`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let repository = try registry.repository()
        let (blob, other) = (try TestBlob.random(1000), try TestBlob.random(1000, seed: 2))
        let file = try OpenBlob(other)
        try await withClient { client in
            let manifest = try await failure { try await client.fetchManifest(.tag(.latest), in: repository) }
            #expect(manifest.code == .notFound)
            #expect(manifest.registryMessages == [kind.unknownManifest])
            let fetched = try await failure {
                try await client.fetchBlob(blob.descriptor, from: repository) { _, _ in }
            }
            #expect(fetched.code == .notFound)
            #expect(fetched.registryMessages == [kind.unknownBlob])
            let tags = try await failure { try await client.tags(of: repository) }
            #expect(tags.code == .notFound)
            let put = try await failure {
                try await client.putBlob(blob.descriptor, to: repository, from: file.range) { _ in }
            }
            #expect(put.status == 400)
            #expect(put.registryMessages.first?.hasPrefix("DIGEST_INVALID") == true)
        }
        #expect(!registry.storage.hasBlob(blob.digest))
    }

    @Test(arguments: RegistryKind.allCases)
    func `bytes that went bad on the registry's disk are found`(kind: RegistryKind) async throws {
        let registry = try await kind.start()
        let repository = try registry.repository()
        let blob = try TestBlob.random(100_000)
        try registry.storage.add(blob, repository: "app")
        var wrong = try blob.bytes
        wrong[50_000] ^= 0x80
        try registry.storage.corrupt(blob.digest, with: wrong)
        let error = try await clientFailure {
            try await $0.fetchBlob(blob.descriptor, from: repository) { _, _ in }
        }
        #expect(error.code == .digestMismatch(expected: blob.digest, actual: try Digest.of(wrong)))
        #expect(error.subject == "\(repository)@\(blob.digest)")
    }
}

extension RegistryKind {
    /// What the registry says where there is no such manifest.
    fileprivate var unknownManifest: String {
        self == .docker
            ? "MANIFEST_UNKNOWN: manifest unknown" : "MANIFEST_UNKNOWN: the repository has no such manifest"
    }

    /// What the registry says where there is no such blob.
    fileprivate var unknownBlob: String {
        self == .docker ? "BLOB_UNKNOWN: blob unknown to registry" : "BLOB_UNKNOWN: the repository has no such blob"
    }
}
