import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// Archives of Docker before version 1.10.
@Suite struct DockerLegacyTests {
    let scratch: ScratchDirectory
    let layers = [DockerParts.layer(1), DockerParts.layer(2)]

    init() throws { scratch = try ScratchDirectory() }

    private static let base =
        ##"{"id":"base","created":"2015-04-01T12:00:00.5Z","container_config":{"Cmd":["sh","-c","#(nop) ADD"]}}"##
    private static let top = #"""
        {"id": "top", "parent": "base", "Size": 123456789012345678901, "layer_id": "x", "parent_id": "y",
         "created": "2015-04-02T00:00:00Z", "author": "A <a@example.com>", "comment": "c", "docker_version": "1.6.0",
         "architecture": "amd64", "os": "linux",
         "config": {"Memory": 12345678901234567890, "Ratio": 1.0e+2, "Cmd": ["x, {}"]}}
        """#

    private func archive(top: String = top, base: String = base, tags: String = #"{"a":{"1":"top"}}"#) -> DockerTar {
        var tar = DockerTar()
        for (id, json, layer) in [("base", base, layers[0]), ("top", top, layers[1])] {
            tar.add("\(id)/VERSION", "1.0")
            tar.add("\(id)/json", json)
            tar.add("\(id)/layer.tar", layer)
        }
        tar.add("repositories", tags)
        return tar
    }

    @Test func `the config is made of the layers' own files`() throws {
        let archive = try scratch.docker(archive())
        #expect(archive.names == ["docker.io/library/a:1"])
        let manifest = try archive.manifest()
        #expect(try manifest.layers.map(\.digest) == layers.map { try Digest.of($0) })
        #expect(Set(archive.blobs.keys) == Set(manifest.layers.map(\.digest)))
        let digests = try layers.map { "\"\(try Digest.of($0))\"" }.joined(separator: ",")
        let config = try archive.content(manifest.config.digest, of: scratch.path("docker.tar"))
        #expect(
            String(decoding: config, as: UTF8.self)
                == #"{"architecture":"amd64","author":"A <a@example.com>","comment":"c","#
                + #""config":{"Memory":12345678901234567890,"Ratio":1.0e+2,"Cmd":["x, {}"]},"#
                + #""created":"2015-04-02T00:00:00Z","docker_version":"1.6.0","history":["#
                + #"{"created":"2015-04-01T12:00:00.5Z","created_by":"sh -c #(nop) ADD"},"#
                + #"{"author":"A <a@example.com>","comment":"c","created":"2015-04-02T00:00:00Z"}],"#
                + #""os":"linux","rootfs":{"diff_ids":[\#(digests)],"type":"layers"}}"#
        )
        #expect(try ImageConfig(bytes: config).platform == Platform(os: "linux", architecture: "amd64"))
    }

    @Test func `the order of the entries does not matter`() throws {
        var tar = archive(tags: #"{"b":{"2":"top","1":"base"},"a":{"1":"top"}}"#)
        let first = try scratch.docker(tar)
        #expect(first.names == ["docker.io/library/a:1", "docker.io/library/b:2", "docker.io/library/b:1"])
        #expect(first.manifests[0].digest == first.manifests[1].digest)
        var generator = SplitMix64(seed: 3)
        for _ in 0..<5 {
            tar.entries.shuffle(using: &generator)
            let archive = try scratch.docker(tar)
            #expect(archive.manifests == first.manifests)
            #expect(archive.made == first.made)
        }
    }

    @Test func `a layer that was thrown away is history only`() throws {
        let top = #"{"id":"top","parent":"base","throwaway":true,"container_config":{"Cmd":"x"}}"#
        var tar = archive(top: top)
        tar.entries.removeAll { $0.path == "top/layer.tar" }
        let archive = try scratch.docker(tar)
        let manifest = try archive.manifest()
        #expect(try manifest.layers.map(\.digest) == [Digest.of(layers[0])])
        let config = String(decoding: try #require(archive.made[manifest.config.digest]), as: UTF8.self)
        #expect(config.contains(#"{"created_by":"x","empty_layer":true}"#))
        #expect(!config.contains("throwaway"))
    }

    @Test func `images without layers of their own share those beneath`() throws {
        let archive = try scratch.docker(archive(tags: #"{"localhost:5000/x/y":{"1":"top"},"y":{"1":"base"}}"#))
        #expect(archive.names == ["localhost:5000/x/y:1", "docker.io/library/y:1"])
        #expect(try archive.manifest(1).layers == Array(archive.manifest(0).layers.prefix(1)))
        #expect(archive.blobs.count == 2)
        #expect(archive.made.count == 4)
    }

    // MARK: - Damage

    @Test(arguments: [
        (#"{"id":"base","parent":"top"}"#, "top/json"), (#"{"id":"base","parent":"base"}"#, "base/json"),
    ])
    func `a layer that is its own ancestor is refused`(base: String, source: String) throws {
        let error = try scratch.dockerFailure(archive(base: base))
        guard case .parentLoop = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(error.entry == "base/json")
        #expect(error.isContentDamage)
    }

    @Test(arguments: [("base/json", "top/json"), ("base/layer.tar", "base/json"), ("top/json", "repositories")])
    func `what is missing is named`(path: String, source: String) throws {
        var tar = archive()
        tar.entries.removeAll { $0.path == path }
        let error = try scratch.dockerFailure(tar)
        #expect(error.code == .missingEntry(path))
        #expect(error.entry == source)
    }

    @Test(arguments: [
        ("", "it is not JSON"), ("[]", "it has the wrong type"), (#"{"parent":1}"#, "parent has the wrong type"),
        (#"{"a":1,"a":2}"#, "it is no JSON object, or has a field twice"),
    ])
    func `a layer's file that makes no sense is refused`(top: String, reason: String) throws {
        let error = try scratch.dockerFailure(archive(top: top))
        #expect(error.code == .unreadable(reason: reason))
        #expect(error.entry == "top/json")
    }

    @Test(arguments: [#"{"A":{"1":"top"}}"#, #"{"a":{"":"top"}}"#])
    func `a name that is none is refused`(tags: String) throws {
        let error = try scratch.dockerFailure(archive(tags: tags))
        guard case .invalidName = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(error.entry == "repositories")
    }

    @Test(arguments: ["../top", "/top", ""])
    func `an id never leads out of the archive`(id: String) throws {
        let error = try scratch.dockerFailure(archive(tags: #"{"a":{"1":"\#(id)"}}"#))
        #expect(error.code == .missingEntry("\(id)/json"))
    }

    @Test func `a compressed layer is refused`() throws {
        var tar = archive()
        tar.entries.removeAll { $0.path == "top/layer.tar" }
        tar.add("top/layer.tar", try Gzip.compress(layers[1]))
        #expect(try scratch.dockerFailure(tar).code == .unsupportedCompression("gzip"))
    }

    @Test func `a chain beyond the limit is refused`() throws {
        var tar = DockerTar()
        for number in 0...10_000 {
            tar.add("\(number)/json", #"{"parent":"\#(number + 1)","throwaway":true}"#)
        }
        tar.add("repositories", #"{"a":{"1":"0"}}"#)
        #expect(try scratch.dockerFailure(tar).code == .tooManyLayers(limit: 10_000))
    }
}
