import Foundation
import OCI
import TestSupport
import Testing

/// Reads a document from text.
func document(_ json: String, as type: MediaType? = nil) throws -> Document {
    try Document(bytes: Array(json.utf8), declaredType: type)
}

/// A descriptor in JSON.
func descriptor(_ type: String = "application/octet-stream", size: String = "3") -> String {
    #"{"mediaType":"\#(type)","digest":"sha256:\#(f64)","size":\#(size)}"#
}

@Suite struct DocumentTests {
    @Test(arguments: ImageBuilder.Family.allCases, Digest.Algorithm.allCases)
    func `a manifest is its bytes, and tells its config and layers`(
        family: ImageBuilder.Family,
        algorithm: Digest.Algorithm
    ) throws {
        var builder = ImageBuilder(family: family, algorithm: algorithm)
        let layers = [try builder.layer(), try builder.layer()]
        let image = try builder.image(layers: layers)
        let read = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType, algorithm: algorithm)
        #expect(read.bytes == image.document.bytes)
        #expect(read.descriptor == image.top)
        #expect(read.descriptor.digest.algorithm == algorithm)
        #expect(read.blobs == image.blobs.map(\.descriptor))
        #expect(read.children.isEmpty)
    }

    @Test(arguments: ImageBuilder.Family.allCases)
    func `an index tells its children with their platforms`(family: ImageBuilder.Family) throws {
        var builder = ImageBuilder(family: family)
        let image = try builder.multiPlatform(attested: true)
        let read = try Document(bytes: image.document.bytes, declaredType: image.top.mediaType)
        #expect(read.descriptor == image.top)
        #expect(read.children.map(\.digest) == image.children.map(\.digest))
        #expect(
            read.children.map { $0.platform?.description }
                == ["linux/amd64", "linux/arm64/v8", "unknown/unknown", "unknown/unknown"]
        )
        #expect(read.children.map(\.isAttestation) == [false, false, true, true])
        #expect(
            read.children[2].annotations?["vnd.docker.reference.digest"] == image.children[0].digest.description
        )
        #expect(read.blobs.isEmpty)
    }

    @Test func `the bytes are kept as they came, whatever their form`() throws {
        let json = " {\n\t\"layers\" : [ ], \"config\":\(descriptor()),\"unknown\":{\"b\":1,\"a\":[1.50]} }\n\n"
        let read = try document(json)
        #expect(read.bytes == Array(json.utf8))
        #expect(read.descriptor.digest == (try Digest.of(Array(json.utf8))))
        #expect(read.descriptor.size == Int64(json.utf8.count))
    }

    /// The type comes from the document itself, else from its source, else from what is in it.
    @Test func `a document without a media type has the one that fits`() throws {
        var builder = ImageBuilder()
        let manifest = try builder.image(saysMediaType: false).document.bytes
        let index = try builder.index(of: [builder.image()], saysMediaType: false).document.bytes
        #expect(try Document(bytes: manifest, declaredType: nil).descriptor.mediaType == .ociManifest)
        #expect(try Document(bytes: index, declaredType: nil).descriptor.mediaType == .ociIndex)
        for type in [MediaType.dockerManifest, .ociManifest] {
            #expect(try Document(bytes: manifest, declaredType: type).descriptor.mediaType == type)
        }
        #expect(
            try Document(bytes: index, declaredType: .dockerManifestList).descriptor.mediaType == .dockerManifestList
        )
    }

    @Test(arguments: ["application/json", "text/plain; charset=utf-8", "application/octet-stream"])
    func `a type that names nothing of ours does not bind`(type: String) throws {
        let image = try ImageBuilder().index(of: [])
        let read = try Document(bytes: image.document.bytes, declaredType: MediaType(rawValue: type))
        #expect(read.descriptor.mediaType == .ociIndex)
    }

    /// Some write an empty field where others leave it out.
    @Test func `an empty media type is none`() throws {
        let read = try document(#"{"mediaType":"","manifests":[\#(descriptor())]}"#)
        #expect(read.descriptor.mediaType == .ociIndex)
        #expect(read.children.count == 1)
    }

    @Test func `an artifact's manifest is one like others`() throws {
        var builder = ImageBuilder()
        let subject = try builder.image()
        let artifact = try builder.artifact(subject: subject)
        let read = try Document(bytes: artifact.document.bytes, declaredType: .ociManifest)
        #expect(read.blobs == artifact.blobs.map(\.descriptor))
        guard case .manifest(let manifest) = read.content else { throw WrongContent() }
        #expect(manifest.subject == subject.top)
        #expect(!manifest.config.mediaType.isImageConfig)
    }

    @Test(arguments: ImageBuilder.Family.allCases)
    func `a layer that is not to be distributed is no blob of the registry`(family: ImageBuilder.Family) throws {
        var builder = ImageBuilder(family: family)
        let layers = [try builder.foreignLayer(), try builder.layer()]
        let image = try builder.image(layers: layers)
        let read = try Document(bytes: image.document.bytes, declaredType: nil)
        guard case .manifest(let manifest) = read.content else { throw WrongContent() }
        #expect(manifest.layers.map(\.isForeignLayer) == [true, false])
        #expect(manifest.layers.first?.urls == layers[0].urls)
        #expect(read.blobs == [image.config?.descriptor, layers[1].descriptor])
    }

    @Test func `a document of a type that nobody knows is carried whole`() throws {
        let json = #"{"mediaType":"application/vnd.example.list+json","manifests":[\#(descriptor())]}"#
        let read = try document(json)
        #expect(read.content == .opaque)
        #expect(read.descriptor.mediaType.rawValue == "application/vnd.example.list+json")
        #expect(read.children.isEmpty)
        let named = try document("{}", as: MediaType(rawValue: "application/vnd.example+json"))
        #expect(named.content == .opaque)
    }

    @Test func `a child of a type that nobody knows stays in its index`() throws {
        let read = try document(#"{"manifests":[\#(descriptor("application/vnd.example+json"))]}"#)
        #expect(read.children.map(\.mediaType.rawValue) == ["application/vnd.example+json"])
    }
}

/// A document was read as something else than the test expected.
struct WrongContent: Error {}
