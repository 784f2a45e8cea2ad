import Foundation
import OCI
import Synchronization
import TestSupport
import Testing

@testable import RegistryDirectory

@Suite struct ConcurrencyTests {
    let scratch: ScratchDirectory
    let registry: Registry

    init() throws {
        scratch = try ScratchDirectory()
        registry = try Registry(scratch.path)
    }

    private var directory: RegistryDirectory { registry.directory }

    /// Runs bodies on threads of their own, as a server does, and throws what the first of them throws.
    private func run(_ bodies: [@Sendable () throws -> Void]) throws {
        let failure = Mutex<(any Error)?>(nil)
        let group = DispatchGroup()
        for body in bodies {
            group.enter()
            Thread.detachNewThread {
                do { try body() } catch { failure.withLock { $0 = $0 ?? error } }
                group.leave()
            }
        }
        group.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    @Test func `the same blobs from many threads into many repositories`() throws {
        let blobs = try (0..<6).map { try content(50_000 + $0, seed: UInt64($0)) }
        let repositories = (0..<4).map { path("team/app\($0)") }
        let registry = registry
        try run(
            (0..<16).map { thread in
                {
                    for step in 0..<blobs.count {
                        let (bytes, digest) = blobs[(thread + step) % blobs.count]
                        let target = repositories[(thread / 2 + step) % repositories.count]
                        #expect(try registry.add(bytes, target) == digest)
                        #expect(try registry.directory.blob(digest, in: target)?.bytes == bytes)
                        for other in repositories {
                            guard let blob = try registry.directory.blob(digest, in: other) else { continue }
                            #expect(try blob.bytes == bytes)
                        }
                    }
                }
            }
        )
        #expect(try registry.oracle.blobs() == Set(blobs.map(\.1)))
        for (bytes, digest) in blobs { #expect(try registry.oracle.bytes(digest) == bytes) }
        for repository in repositories { #expect(registry.leftOvers(repository).isEmpty) }
    }

    @Test func `a manifest is whole or not there while it is put and removed`() throws {
        let (bytes, digest) = try content(20_000)
        let blob = try registry.add([1, 2, 3], repository)
        let directory = directory
        let name = tag("v1")
        let isDone = Flag()
        let putting: @Sendable () throws -> Void = {
            for _ in 0..<40 {
                let missing = try directory.putManifest(
                    bytes,
                    digest: digest,
                    tags: [name],
                    needing: [blob],
                    in: repository
                )
                #expect(missing.isEmpty)
            }
        }
        let removing: @Sendable () throws -> Void = {
            for _ in 0..<40 {
                _ = try directory.deleteTag(name, in: repository)
                _ = try directory.deleteManifest(digest, in: repository)
            }
        }
        let reading: @Sendable () throws -> Void = {
            while !isDone.isSet {
                if let found = try directory.manifest(digest, in: repository) { #expect(found == bytes) }
                if let found = try directory.digest(of: name, in: repository) { #expect(found == digest) }
                #expect(try [[], [name]].contains(directory.tags(in: repository)))
                #expect(try [[], [digest]].contains(directory.manifests(in: repository)))
            }
        }
        try run([
            { try reading() },
            {
                defer { isDone.set(true) }
                try run([putting, removing, putting, removing])
            },
        ])
        try putting()
        #expect(try directory.digest(of: name, in: repository) == digest)
        #expect(registry.oracle.tags(repository: "team/app") == ["v1"])
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `a manifest that is put while it is removed leaves no tag without it`() throws {
        let directory = directory
        let digest = try Digest.of([1])
        for _ in 0..<40 {
            #expect(try directory.putManifest([1], digest: digest, tags: [], needing: [], in: repository) == [])
            try run([
                { _ = try directory.putManifest([1], digest: digest, tags: [tag("v1")], needing: [], in: repository) },
                { _ = try directory.deleteManifest(digest, in: repository) },
            ])
            let isThere = try directory.manifest(digest, in: repository) != nil
            #expect(try directory.tags(in: repository) == (isThere ? [tag("v1")] : []))
        }
    }

    @Test func `whoever sees a tag finds its manifest`() throws {
        let directory = directory
        let isDone = Flag()
        try run([
            {
                defer { isDone.set(true) }
                for number in 0..<60 {
                    let bytes = Array("{\(number)}".utf8)
                    let (digest, name) = (try Digest.of(bytes), tag("v\(number)"))
                    _ = try directory.putManifest(bytes, digest: digest, tags: [name], needing: [], in: repository)
                }
            },
            {
                var seen: Set<OCI.Tag> = []
                while !isDone.isSet {
                    for name in try directory.tags(in: repository) ?? [] where seen.insert(name).inserted {
                        let digest = try #require(try directory.digest(of: name, in: repository))
                        #expect(try directory.manifest(digest, in: repository) != nil)
                    }
                }
            },
        ])
    }

    @Test func `a blob is there or not while it is mounted and removed`() throws {
        let (bytes, digest) = try content(1000)
        try registry.add(bytes, path("source"))
        let registry = registry
        try run(
            (0..<6).map { thread in
                {
                    for _ in 0..<30 {
                        switch thread % 3 {
                        case 0:
                            #expect(try registry.directory.mountBlob(digest, from: path("source"), into: repository))
                        case 1: _ = try registry.directory.deleteBlob(digest, in: repository)
                        default:
                            guard let blob = try registry.directory.blob(digest, in: repository) else { continue }
                            #expect(try blob.bytes == bytes)
                        }
                    }
                }
            }
        )
        #expect(try registry.directory.mountBlob(digest, from: path("source"), into: repository))
        #expect(try registry.directory.blob(digest, in: repository)?.bytes == bytes)
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `cleaning up takes nothing that is in use`() throws {
        let registry = registry
        let isDone = Flag()
        let cleaning: @Sendable () throws -> Void = {
            while !isDone.isSet { try registry.directory.removeUploads(olderThan: .zero) }
        }
        let (manifest, digest) = try content(100, seed: 99)
        try run([
            cleaning,
            {
                defer { isDone.set(true) }
                try run(
                    (0..<4).map { thread in
                        {
                            for step in 0..<20 {
                                let (bytes, blob) = try content(1000, seed: UInt64(thread * 100 + step))
                                try registry.add(bytes, repository)
                                let name = tag("t\(thread)")
                                let missing = try registry.directory.putManifest(
                                    manifest,
                                    digest: digest,
                                    tags: [name],
                                    needing: [blob],
                                    in: repository
                                )
                                #expect(missing.isEmpty)
                                #expect(try registry.directory.deleteTag(name, in: repository))
                            }
                        }
                    }
                )
            },
        ])
        #expect(registry.leftOvers(repository).isEmpty)
    }

    @Test func `a session that is looked for from many threads is one`() throws {
        let id: String
        do {
            let other = try ScratchDirectory()
            let first = try Registry(other.path)
            id = try first.directory.openUpload(in: repository, algorithm: .sha256).id
            try Command("cp", ["-r", other.path("docker"), scratch.path]).check()
        }
        let found = Mutex<[BlobUpload]>([])
        let directory = directory
        try run(
            (0..<8).map { _ in
                {
                    let upload = try #require(try directory.upload(id, in: repository))
                    found.withLock { $0.append(upload) }
                }
            }
        )
        #expect(Set(found.withLock { $0 }.map { ObjectIdentifier($0) }).count == 1)
    }
}
