import Foundation
import OCI
import Testing

@Suite struct DescriptorTests {
    @Test func `a descriptor goes through JSON and back`() throws {
        let json = #"""
            {"annotations":{"a":"b"},"artifactType":"x/y","digest":"sha256:\#(f64)","mediaType":"m/t","platform":\#
            {"architecture":"arm64","os":"linux","variant":"v8"},"size":0,"urls":["https://a.example/b"]}
            """#
        let descriptor = try JSONDecoder().decode(Descriptor.self, from: Data(json.utf8))
        #expect(descriptor.platform?.description == "linux/arm64/v8")
        #expect(descriptor.size == 0)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(String(decoding: try encoder.encode(descriptor), as: UTF8.self) == json)
    }

    @Test func `a layer is foreign only if its type says so and it tells where it is`() throws {
        func isForeign(_ type: String, _ urls: String) throws -> Bool {
            let json = #"{"mediaType":"\#(type)","digest":"sha256:\#(f64)","size":1,"urls":\#(urls)}"#
            return try JSONDecoder().decode(Descriptor.self, from: Data(json.utf8)).isForeignLayer
        }
        let foreign = [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ]
        for type in foreign {
            #expect(try isForeign(type, #"["https://a.example/b"]"#))
            #expect(try !isForeign(type, "[]"))
            #expect(try !isForeign(type, "null"))
        }
        #expect(try !isForeign("application/vnd.oci.image.layer.v1.tar+gzip", #"["https://a.example/b"]"#))
    }

    @Test(arguments: [
        (MediaType.ociIndex, true, false, false), (.dockerManifestList, true, false, false),
        (.ociManifest, false, true, false), (.dockerManifest, false, true, false),
        (.ociConfig, false, false, true), (.dockerConfig, false, false, true),
        (MediaType(rawValue: "application/vnd.oci.empty.v1+json"), false, false, false),
    ])
    func `a media type is of one kind`(type: MediaType, isIndex: Bool, isManifest: Bool, isImageConfig: Bool) {
        #expect(type.isIndex == isIndex)
        #expect(type.isManifest == isManifest)
        #expect(type.isImageConfig == isImageConfig)
        #expect(!type.isSchema1)
    }
}
