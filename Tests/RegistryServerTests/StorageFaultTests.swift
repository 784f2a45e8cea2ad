import Foundation
import OCI
import RegistryServer
import TestSupport
import Testing

/// Files of the registry that went bad, or away, under the server.
@Suite struct StorageFaultTests {
    /// Expects the server's own failure, of which the client learns nothing and the operator the cause.
    private func expectFailure(_ answer: HTTPAnswer, _ cause: String, _ server: TestServer) async throws {
        expect(answer, 500, "UNKNOWN")
        #expect(!answer.text.contains(server.root) && !answer.text.contains("docker/registry"))
        let entry = try await server.log.entry { $0.metadata["cause"]?.contains(cause) == true }
        #expect(entry.isFailure && entry.metadata["status"] == "500")
    }

    @Test func `a manifest that went bad is not given out`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image, tag: "latest")
            var wrong = image.document.bytes
            wrong[10] ^= 1
            try server.storage.corrupt(image.digest, with: wrong)
            for reference in ["latest", "\(image.digest)"] {
                let answer = try await server.ask("GET", "/v2/app/manifests/\(reference)")
                try await expectFailure(answer, "it is damaged: what should be \(image.digest)", server)
            }
            // Pushed again it is whole.
            try await server.push(image)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
        }
    }

    @Test func `one referrer that went bad does not hide the others`() async throws {
        let (_, subject) = try content(10)
        let (good, bad) = (
            try TestReferrer(to: subject, artifactType: "a/good"), try TestReferrer(to: subject, artifactType: "a/bad")
        )
        for askedBefore in [false, true] {
            try await withServer { server in
                for referrer in [good, bad] { try await server.push(referrer) }
                if askedBefore { #expect(try await server.referrers(of: subject).count == 2) }
                try server.storage.corrupt(bad.document.digest, with: [1, 2, 3])
                let answer = try await server.ask("GET", "/v2/app/referrers/\(subject)")
                #expect(answer.status == 200, "\(answer.text)")
                #expect(try answer.json(as: ReferrerList.self).manifests == [good].listed)
            }
        }
    }

    @Test func `what went away is not found`() async throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        try await withServer { server in
            try await server.push(image, tag: "latest")
            let layer = try #require(image.layers.first)
            try server.storage.removeBlob(layer.digest)
            expect(try await server.ask("GET", "/v2/app/blobs/\(layer.digest)"), 404, "BLOB_UNKNOWN")
            try server.storage.removeBlob(image.digest)
            expect(try await server.ask("GET", "/v2/app/manifests/latest"), 404, "MANIFEST_UNKNOWN")
            try await server.push(image)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == image.document.bytes)
            #expect(try await server.ask("GET", "/v2/app/blobs/\(layer.digest)").body == (try layer.bytes))
        }
    }

    /// A loop of links stops even who may read everything.
    @Test func `what cannot be read is a failure that names no path`() async throws {
        let (bytes, digest) = try content(100)
        try await withServer { server in
            try await server.push(bytes)
            let tree = "\(server.root)/docker/registry/v2/repositories"
            try FileManager.default.createSymbolicLink(atPath: "\(tree)/loop", withDestinationPath: "loop")
            for path in ["/v2/loop/blobs/\(digest)", "/v2/loop/manifests/latest", "/v2/loop/tags/list"] {
                try await expectFailure(try await server.ask("GET", path), "repositories/loop", server)
            }
            try await expectFailure(try await server.ask("POST", "/v2/loop/blobs/uploads/"), "_uploads", server)
            #expect(try await server.ask("GET", "/v2/app/blobs/\(digest)").body == bytes)
        }
    }

    /// The size was told before the file was cut: all that can be done is to end the answer early.
    @Test(arguments: [0, 1000, 6 << 20])
    func `a blob that is cut off while it is read ends the connection`(byteCount: Int) async throws {
        let (bytes, digest) = try content(24 << 20)
        try await withServer(.with { $0.idleTimeout = .milliseconds(500) }) { server in
            try await server.push(bytes)
            let connection = try server.connect(receiveByteCount: 256 << 10)
            try await connection.send(HTTPRequest("GET", "/v2/app/blobs/\(digest)").bytes)
            let head = try await connection.receiveHead()
            #expect(head.headers("Content-Length") == [String(bytes.count)])
            #expect(truncate(server.storage.blobPath(digest), off_t(byteCount)) == 0)
            let error = await #expect(throws: HTTPConnectionError.self) {
                try await connection.receive(count: bytes.count)
            }
            if case .timedOut = try #require(error).code { Issue.record("the connection was not closed") }
            let entry = try await server.log.entry { $0.metadata["cause"]?.hasPrefix("sending") == true }
            #expect(entry.metadata["method"] == "GET")
            try await expectAlive(server)
        }
    }
}
