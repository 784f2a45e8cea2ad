import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import RegistryDirectory

@Suite struct UploadTests {
    let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func code(_ body: () throws -> Void) throws -> DirectoryError.Code {
        try #require(throws: DirectoryError.self) { try body() }.code
    }

    @Test func `a session is where other registries look for one`() throws {
        let registry = try Registry(scratch.path)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        try upload.append([1, 2, 3], claim: upload.claim())
        #expect(upload.byteCount == 3)
        #expect(upload.id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        #expect(registry.leftOvers(repository) == [upload.id])
        let session = "docker/registry/v2/repositories/team/app/_uploads/\(upload.id)"
        #expect(try scratch.names(in: session) == ["data", "startedat"])
        #expect(try scratch.read(session + "/data") == [1, 2, 3])
        let start = String(decoding: try scratch.read(session + "/startedat"), as: UTF8.self)
        #expect(start.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
        let date = try Date(start, strategy: .iso8601)
        #expect(abs(date.timeIntervalSinceNow) < 60)
        // It makes no repository.
        #expect(try registry.directory.repositories().isEmpty)
        #expect(try registry.directory.tags(in: repository) == nil)
    }

    @Test(arguments: Digest.Algorithm.allCases, Digest.Algorithm.allCases)
    func `a blob comes in pieces, and by another algorithm than was expected`(
        expected: Digest.Algorithm,
        actual: Digest.Algorithm
    ) throws {
        let registry = try Registry(scratch.path)
        let (bytes, digest) = try content(3_000_000, actual)
        let upload = try registry.directory.openUpload(in: repository, algorithm: expected)
        for start in stride(from: 0, to: bytes.count, by: 700_001) {
            let found = try #require(try registry.directory.upload(upload.id, in: repository))
            #expect(found === upload)
            #expect(found.byteCount == start)
            try found.append(Array(bytes[start...].prefix(700_001)), claim: found.claim())
        }
        try upload.commit(as: digest, claim: upload.claim())
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(try registry.directory.upload(upload.id, in: repository) == nil)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test(arguments: Digest.Algorithm.allCases)
    func `a session goes on after a restart`(algorithm: Digest.Algorithm) throws {
        let (bytes, digest) = try content(3_000_000, algorithm)
        var id = ""
        for start in stride(from: 0, to: bytes.count, by: 1_000_000) {
            let directory = try RegistryDirectory(path: scratch.path, access: .readWrite)
            var upload = try directory.upload(id, in: repository)
            if start == 0 { upload = try directory.openUpload(in: repository, algorithm: algorithm) }
            let found = try #require(upload)
            id = found.id
            #expect(found.byteCount == start)
            try found.append(Array(bytes[start...].prefix(1_000_000)), claim: found.claim())
        }
        let directory = try RegistryDirectory(path: scratch.path, access: .readWrite)
        let upload = try #require(try directory.upload(id, in: repository))
        try upload.commit(as: digest, claim: upload.claim())
        #expect(try directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `what many sessions push out of memory continues from disk`() throws {
        let registry = try Registry(scratch.path)
        let (bytes, digest) = try content(1000)
        let first = try registry.directory.openUpload(in: repository, algorithm: .sha256).id
        do {
            let upload = try #require(try registry.directory.upload(first, in: repository))
            try upload.append(Array(bytes.prefix(500)), claim: upload.claim())
        }
        let held = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let idle = Weak(try registry.directory.upload(first, in: repository))
        #expect(idle.upload != nil)
        for _ in 0..<200 { _ = try registry.directory.openUpload(in: repository, algorithm: .sha256) }
        #expect(idle.upload == nil)
        #expect(try registry.directory.upload(held.id, in: repository) === held)
        let upload = try #require(try registry.directory.upload(first, in: repository))
        let claim = upload.claim()
        try upload.append(Array(bytes.dropFirst(500)), claim: claim)
        try upload.commit(as: digest, claim: claim)
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
    }

    // MARK: - Claims

    /// Storing may take long: who asks meanwhile must not wait for it with a thread.
    @Test func `nobody waits for a session that is being stored`() throws {
        let registry = try Registry(scratch.path)
        let (bytes, digest) = try content(1000)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let claim = upload.claim()
        try upload.append(bytes, claim: claim)
        upload.isBusy.store(true, ordering: .releasing)
        try upload.state.withLock { (_: inout BlobUpload.State) throws in
            // With the lock held, whatever wanted it would never come back.
            let late = upload.claim()
            #expect(try code { try upload.append([1], claim: late) } == .busy)
            #expect(try code { try upload.commit(as: digest, claim: late) } == .busy)
            #expect(try code { try upload.cancel() } == .busy)
            #expect(upload.byteCount == 1000)
        }
        upload.isBusy.store(false, ordering: .releasing)
        try upload.commit(as: digest, claim: claim)
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `a later request takes the session over`() throws {
        let registry = try Registry(scratch.path)
        let (bytes, digest) = try content(1000)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let old = upload.claim()
        try upload.append(Array(bytes.prefix(400)), claim: old)
        let new = upload.claim()
        #expect(try code { try upload.append(Array(bytes.dropFirst(400)), claim: old) } == .superseded)
        #expect(upload.byteCount == 400)
        #expect(try code { try upload.commit(as: digest, claim: old) } == .superseded)
        try upload.append(Array(bytes.dropFirst(400)), claim: new)
        try upload.commit(as: digest, claim: new)
        #expect(try code { try upload.append([1], claim: new) } == .uploadEnded)
        #expect(try code { try upload.commit(as: digest, claim: upload.claim()) } == .uploadEnded)
        #expect(try code { try upload.cancel() } == .uploadEnded)
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
    }

    @Test func `of requests that fight for a session, the last writes all of the blob`() async throws {
        let registry = try Registry(scratch.path)
        let (bytes, digest) = try content(100_000)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let claim = upload.claim()
                    var start = Int(upload.byteCount)
                    while start < bytes.count {
                        do throws(DirectoryError) {
                            try upload.append(Array(bytes[start...].prefix(1000)), claim: claim)
                        } catch {
                            #expect(error.code == .superseded)
                            return
                        }
                        start += 1000
                    }
                }
            }
        }
        #expect(upload.byteCount == bytes.count)
        try upload.commit(as: digest, claim: upload.claim())
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
    }

    // MARK: - The end

    @Test(arguments: Digest.Algorithm.allCases)
    func `other bytes than were announced are never visible`(algorithm: Digest.Algorithm) throws {
        let registry = try Registry(scratch.path)
        let (bytes, actual) = try content(1000, algorithm)
        let (_, expected) = try content(1000, seed: 2, algorithm)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let claim = upload.claim()
        try upload.append(bytes, claim: claim)
        let error = try #require(throws: DirectoryError.self) { try upload.commit(as: expected, claim: claim) }
        #expect(error.code == .wrongDigest(expected: expected, actual: actual))
        #expect(error.description.hasSuffix("what was sent as \(expected) is \(actual)"))
        #expect(try registry.oracle.blobs().isEmpty)
        #expect(try registry.directory.upload(upload.id, in: repository) == nil)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `a cancelled session leaves nothing`() throws {
        let registry = try Registry(scratch.path)
        let upload = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let claim = upload.claim()
        try upload.append([1], claim: claim)
        try upload.cancel()
        #expect(try registry.directory.upload(upload.id, in: repository) == nil)
        #expect(try code { try upload.append([1], claim: claim) } == .uploadEnded)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test(arguments: [
        "", ".", "..", "../../../../../../etc", "x", "00000000-0000-4000-8000-00000000000",
        "0000000000000000000000000000000000a0",
        "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-0000000000000",
        "00000000/0000-4000-8000-000000000000",
        "00000000-0000-4000-8000-00000000000\0", "00000000-0000-4000-8000-0000000000é",
        "00000000-0000-4000-8000-000000000000",
    ])
    func `a name that is none finds nothing`(id: String) throws {
        let registry = try Registry(scratch.path)
        _ = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        let before = try registry.snapshot()
        #expect(try registry.directory.upload(id, in: repository) == nil)
        #expect(try registry.snapshot() == before)
    }

    @Test(arguments: [true, false])
    func `a session belongs to its repository`(isRestarted: Bool) throws {
        var registry: Registry? = try Registry(scratch.path)
        let id = try #require(try registry?.directory.openUpload(in: repository, algorithm: .sha256).id)
        if isRestarted {
            registry = nil
            registry = try Registry(scratch.path)
        }
        #expect(try registry?.directory.upload(id, in: path("team/other")) == nil)
        #expect(try registry?.directory.upload(id, in: repository) != nil)
    }

    // MARK: - What is abandoned

    @Test func `sessions that nothing was written to for long are removed, unless they are held`() throws {
        let registry = try Registry(scratch.path)
        let held = try registry.directory.openUpload(in: repository, algorithm: .sha256)
        _ = try registry.directory.openUpload(in: path("other"), algorithm: .sha256)
        let now = Duration.sinceEpoch
        #expect(try registry.directory.removeUploads(olderThan: .seconds(3600), now: now) == 0)
        #expect(try registry.directory.removeUploads(olderThan: .seconds(3600), now: now + .seconds(3500)) == 0)
        #expect(try registry.directory.removeUploads(olderThan: .seconds(3600), now: now + .seconds(3700)) == 1)
        #expect(registry.leftOvers(repository) == [held.id])
        #expect(registry.leftOvers(path("other")).isEmpty)
        let (bytes, digest) = try content(10)
        let claim = held.claim()
        try held.append(bytes, claim: claim)
        try held.commit(as: digest, claim: claim)
        #expect(try registry.directory.hasBlob(digest, in: repository))
    }

    @Test func `sessions from before a restart are as old as their last byte`() throws {
        var registry: Registry? = try Registry(scratch.path)
        let ids = try (0..<2).map { _ in
            try #require(try registry?.directory.openUpload(in: repository, algorithm: .sha256).id)
        }
        registry = nil
        let old = scratch.path("docker/registry/v2/repositories/team/app/_uploads/\(ids[0])/data")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -86_400)],
            ofItemAtPath: old
        )
        let again = try Registry(scratch.path)
        #expect(try again.directory.removeUploads(olderThan: .seconds(3600)) == 1)
        #expect(again.leftOvers(repository) == [ids[1]])
        #expect(try again.directory.upload(ids[0], in: repository) == nil)
    }
}

/// Knows whether a session is still in memory.
private final class Weak {
    weak var upload: BlobUpload?

    init(_ upload: BlobUpload?) { self.upload = upload }
}
