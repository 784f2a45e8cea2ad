import Foundation
import OCI
import TestSupport
import Testing

/// A disk that is full.
@Suite(.tags(.interop), .enabled(if: MountedFileSystem.isPossible, "mounting needs root"))
struct FullDiskTests {
    private let scratch: ScratchDirectory
    private let mount: MountedFileSystem
    private let image: TestImage

    init() throws {
        scratch = try ScratchDirectory()
        mount = try MountedFileSystem(at: scratch.path, ["-t", "tmpfs", "-o", "size=4m", "none"])
        var builder = ImageBuilder()
        image = try builder.image()
    }

    private func withFullDisk(_ body: @escaping @Sendable (TestServer) async throws -> Void) async throws {
        try await withServer(on: mount.path) { server in
            try await server.push(image, tag: "latest")
            try await body(server)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
            for blob in image.blobs {
                #expect(try await server.ask("GET", "/v2/app/blobs/\(blob.digest)").body == (try blob.bytes))
            }
            #expect(server.storage.tags(repository: "app") == ["latest"])
        }
    }

    /// Takes all the space there is, and gives the file that has it.
    private func fill() throws -> String {
        let path = mount.path + "/hog"
        _ = try Command("dd", ["if=/dev/zero", "of=\(path)", "bs=4k"]).runBlocking()
        return path
    }

    private func expectFull(_ answer: HTTPAnswer, _ server: TestServer) async throws {
        expect(answer, 507, "DENIED")
        #expect(!answer.text.contains(server.root))
        let entry = try await server.log.entry { $0.metadata["status"] == "507" }
        #expect(entry.isFailure)
        #expect(entry.metadata["cause"]?.hasSuffix("no space left") == true)
    }

    @Test(arguments: ["POST", "PUT", "PATCH"])
    func `a blob that does not fit is refused, and its space is free again`(method: String) async throws {
        let (bytes, digest) = try content(8 << 20)
        try await withFullDisk { server in
            let used = mount.usedByteCount
            let location = method == "POST" ? "/v2/app/blobs/uploads/" : try await server.openUpload()
            let target = method == "PATCH" ? location : "\(location)?digest=\(digest)"
            try await expectFull(try await server.ask(method, target, body: bytes), server)
            if method != "POST" {
                // What came before goes on being there, for who knows how to go on.
                #expect(try await server.status(of: location).status == 204)
                #expect(try await server.ask("DELETE", location).status == 204)
            }
            let most = used + (64 << 10)
            #expect(mount.usedByteCount(settlingAt: most) <= most)
            #expect(server.storage.unfinishedUploads(repository: "app").isEmpty)
            #expect(try await server.ask("HEAD", "/v2/app/blobs/\(digest)").status == 404)
            try await server.push(Array(bytes[..<1_000_000]))
        }
    }

    @Test func `nothing is begun on a full disk, and all is well when it has space`() async throws {
        var builder = ImageBuilder(seed: 5)
        let other = try builder.image()
        try await withFullDisk { server in
            for blob in other.blobs { try await server.push(blob.bytes) }
            let location = try await server.openUpload()
            let hog = try fill()
            let (bytes, digest) = try content(100_000)
            try await expectFull(try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes), server)
            try await expectFull(try await server.put(other.document, as: "other"), server)
            try await expectFull(try await server.put(other.document, as: "\(other.digest)"), server)
            #expect(try await server.ask("GET", "/v2/app/manifests/\(other.digest)").status == 404)
            try FileManager.default.removeItem(atPath: hog)
            #expect(try await server.ask("PUT", "\(location)?digest=\(digest)", body: bytes).status == 201)
            #expect(try await server.put(other.document, as: "other").status == 201)
            #expect(try await server.ask("DELETE", "/v2/app/manifests/other").status == 202)
        }
    }
}
