import Foundation
import OCI
import RegistryServer
import TestSupport
import Testing

/// Real clients, a real registry on the same directory, and real images.
@Suite(.tags(.interop), .serialized) struct InteropTests {
    private func skopeo(_ arguments: [String]) async throws -> Outcome {
        let outcome = try await Command("skopeo", ["--insecure-policy"] + arguments).run()
        #expect(outcome.status == 0, "skopeo \(arguments): \(outcome.errorText)")
        return outcome
    }

    private func expectHolds(_ images: [DebianImages.Named], below prefix: String, _ server: TestServer) async throws {
        for named in images {
            let path = "/v2/\(prefix)\(named.repository)"
            for document in named.image.documents {
                let answer = try await server.ask("GET", "\(path)/manifests/\(document.digest)")
                #expect(answer.body == document.bytes)
                #expect(answer.headers("Content-Type") == [document.mediaType.rawValue])
            }
            for blob in named.image.blobs {
                try await expectEqual(server.ask("GET", "\(path)/blobs/\(blob.digest)").body, blob.bytes)
            }
            let top = try await server.ask("HEAD", "\(path)/manifests/\(named.tag)")
            #expect(top.headers("Docker-Content-Digest") == ["\(named.image.digest)"])
        }
    }

    /// A registry's directory goes from the one to the other and back, and each sees what the other has written.
    @Test func `docker-registry serves what was pushed here, and this what was pushed there`() async throws {
        let images = try DebianImages.make()
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { server in
            for named in images { try await server.push(named.image, to: named.repository, tag: named.tag) }
            let (blobs, subject) = (images[0].image.blobs, images[0].image.digest)
            #expect(!blobs.isEmpty)
            try await server.push(TestReferrer(to: subject, artifactType: "a/here"), to: images[0].repository)
        }
        let second = try ScratchDirectory()
        do {
            let registry = try DockerRegistry(root: scratch.path)
            for named in images {
                let source = "docker://\(registry.address)/\(named.name)"
                let plain = [
                    "copy", "--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false",
                ]
                _ = try await skopeo(plain + [source, "dir:\(second.path("\(named.tag)-\(named.image.digest.hex)"))"])
                // Under another name there: pushed by the one, read by the other.
                _ = try await skopeo(plain + [source, "docker://\(registry.address)/copy/\(named.name)"])
                let deleted = try await Command(
                    "curl",
                    [
                        "-sf", "-X", "DELETE",
                        "http://\(registry.address)/v2/\(named.repository)/manifests/\(named.image.digest)",
                    ]
                ).run()
                #expect(deleted.status == 0)
            }
        }
        try await withServer(on: scratch.path) { server in
            try await expectHolds(images, below: "copy/", server)
            for named in images {
                let path = "/v2/\(named.repository)/manifests/\(named.image.digest)"
                expect(try await server.ask("GET", path), 404, "MANIFEST_UNKNOWN")
                let tags = try await server.ask("GET", "/v2/\(named.repository)/tags/list")
                #expect(tags.text == #"{"name":"\#(named.repository)","tags":[]}"#)
            }
            let subject = images[0].image.digest
            let referrers = try await server.referrers(of: subject, in: images[0].repository)
            #expect(referrers.map(\.artifactType) == ["a/here"])
        }
    }

    /// skopeo pushes and pulls: everything, for users alone, and read by anyone; plain and with TLS.
    @Test(arguments: [false, true], [nil, false, true])
    func `skopeo copies to here and from here`(usesTLS: Bool, anonymousReading: Bool?) async throws {
        var builder = ImageBuilder()
        let image = try builder.multiPlatform(sharing: [builder.layer(byteCount: 3 << 20)])
        let (repository, name) = ("some/app", "some/app:v1")
        let keys = try ScratchDirectory()
        let certificate = try TestCertificate.make(in: keys)
        let passwords = try PasswordFile()
        let settings = RegistryServer.Configuration.with { configuration in
            if usesTLS {
                configuration.tls = .init(certificatePath: certificate.certificatePath, keyPath: certificate.keyPath)
            }
            guard let anonymousReading else { return }
            configuration.passwordFile = passwords.path
            configuration.allowsAnonymousReading = anonymousReading
        }
        // What skopeo takes for a directory of certificates has nothing but the authority's.
        try keys.write(try keys.read("ca.pem"), to: "trusted/ca.crt")
        let origin = try DockerRegistry()
        try origin.storage.add(image, repository: repository, tag: "v1")
        try await withServer(settings) { server in
            let here = "docker://\(server.address)/\(name)"
            let trust = { (side: String) in
                usesTLS ? ["--\(side)-cert-dir", keys.path("trusted")] : ["--\(side)-tls-verify=false"]
            }
            let user = { (side: String, isNeeded: Bool) in isNeeded ? ["--\(side)-creds", "me:secret"] : [] }
            let copy = ["copy", "--all", "--preserve-digests"]
            let source = ["--src-tls-verify=false", "docker://\(origin.address)/\(name)"]
            _ = try await skopeo(copy + trust("dest") + user("dest", anonymousReading != nil) + source + [here])
            for document in image.documents {
                try expectEqual(server.storage.bytes(document.digest), document.bytes)
            }
            for blob in image.blobs { try expectEqual(server.storage.bytes(blob.digest), blob.bytes) }
            #expect(try server.storage.digest(ofTag: "v1", repository: repository) == image.digest)
            #expect(server.storage.unfinishedUploads(repository: repository).isEmpty)

            let target = "dir:\(keys.path("pulled"))"
            let reader = user("src", anonymousReading == false)
            _ = try await skopeo(copy + trust("src") + reader + [here, target])
            #expect(try keys.read("pulled/manifest.json") == image.document.bytes)
            for blob in image.blobs { try expectEqual(keys.read("pulled/\(blob.digest.hex)"), blob.bytes) }

            guard anonymousReading == false else { return }
            let refused = try await Command("skopeo", ["--insecure-policy"] + copy + trust("src") + [here, target])
                .run()
            #expect(refused.status != 0 && refused.errorText.contains("a user name and a password are needed"))
        }
    }

    @Test func `podman pulls an image and pushes it again`() async throws {
        let image = try #require(try DebianImages.make().first { $0.repository == "tools/busybox" })
        let scratch = try ScratchDirectory()
        try await withServer { server in
            try await server.push(image.image, to: image.repository, tag: image.tag)
            let podman = { (arguments: [String]) async throws -> Outcome in
                let storage = [
                    "--root", scratch.path("root"), "--runroot", scratch.path("run"), "--storage-driver", "vfs",
                ]
                return try await Command("podman", storage + arguments).run()
            }
            let name = "\(server.address)/\(image.name)"
            let pulled = try await podman(["pull", "-q", "--tls-verify=false", name])
            #expect(pulled.status == 0, "\(pulled.errorText)")
            #expect(pulled.outputText == (try #require(image.image.config).digest.hex) + "\n")
            let pushed = try await podman(["push", "-q", "--tls-verify=false", name, "\(server.address)/copy/box:1"])
            #expect(pushed.status == 0, "\(pushed.errorText)")
            let copy = try await server.ask("GET", "/v2/copy/box/manifests/1")
            #expect(copy.status == 200)
            let config = try #require(image.image.config)
            #expect(copy.text.contains("\(config.digest)"))
            try await expectEqual(server.ask("GET", "/v2/copy/box/blobs/\(config.digest)").body, config.bytes)
            #expect(server.storage.unfinishedUploads(repository: "copy/box").isEmpty)
            _ = try await podman(["system", "reset", "-f"])
        }
    }
}
