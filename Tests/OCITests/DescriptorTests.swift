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

    @Test(arguments: [
        #""urls":["u"]"#, #""annotations":{"a":"b"}"#, #""platform":{"os":"o","architecture":"a"}"#,
        #""artifactType":"x/y""#,
    ])
    func `descriptors that differ in one thing are two`(field: String) throws {
        func descriptor(_ field: String) throws -> Descriptor {
            let json = #"{"mediaType":"m/t","digest":"sha256:\#(f64)","size":1\#(field)}"#
            return try JSONDecoder().decode(Descriptor.self, from: Data(json.utf8))
        }
        let bare = try descriptor("")
        let full = try descriptor("," + field)
        #expect(full != bare)
        #expect(full == (try descriptor("," + field)))
        #expect(Set([bare, full, try descriptor("," + field), try descriptor("")]).count == 2)
        #expect(try descriptor(",\(field.prefix { $0 != ":" }):null") == bare)
    }

    @Test func `what is no digest is refused, with its place`() {
        let json = #"{"mediaType":"m/t","digest":"sha256:short","size":1}"#
        let error = #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Descriptor.self, from: Data(json.utf8))
        }
        guard case .dataCorrupted(let context) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["digest"])
        #expect(context.debugDescription.contains("sha256:short"))
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
