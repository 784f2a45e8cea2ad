import OCI
import TestSupport
import Testing

@Suite struct DocumentErrorTests {
    /// The message of the error that reading throws.
    private func failure(_ json: String, as type: MediaType? = nil) -> String? {
        #expect(throws: DocumentError.self) { try document(json, as: type) }?.description
    }

    @Test func `a document of the largest size is read, and one byte more is not`() throws {
        let json = #"{"manifests":[]}"#
        let padding = String(repeating: " ", count: Document.byteLimit - json.utf8.count)
        #expect(try document(json + padding).descriptor.size == 4 << 20)
        #expect(throws: DocumentError(.tooLarge(byteCount: 4_194_305))) { try document(json + padding + " ") }
    }

    @Test func `an index with the most children is read, and one child more is not`() throws {
        let children = Array(repeating: descriptor(), count: 10_000)
        func index(_ children: [String]) -> String { #"{"manifests":[\#(children.joined(separator: ","))]}"# }
        #expect(try document(index(children)).children.count == 10_000)
        #expect(throws: DocumentError(.tooManyChildren(count: 10_001))) {
            try document(index(children + [descriptor()]))
        }
    }

    @Test(arguments: MediaType.manifests, MediaType.manifests)
    func `a document is what its source says`(declared: MediaType, own: MediaType) throws {
        let content = own.isIndex ? #""manifests":[]"# : #""config":\#(descriptor()),"layers":[]"#
        let json = #"{"schemaVersion":2,"mediaType":"\#(own)",\#(content)}"#
        if declared == own {
            #expect(try document(json, as: declared).descriptor.mediaType == own)
        } else {
            #expect(throws: DocumentError(.typesDisagree(declared: declared, own: own))) {
                try document(json, as: declared)
            }
        }
    }

    @Test(arguments: [
        #""layers":[]"#, #""config":\#(descriptor())"#, #""config":\#(descriptor()),"layers":[]"#,
    ])
    func `a document that is an image and an index is refused`(other: String) {
        for type in [nil, "ociIndex", "ociManifest"] {
            let own = type.map { $0 == "ociIndex" ? MediaType.ociIndex : .ociManifest }
            let field = own.map { #""mediaType":"\#($0)","# } ?? ""
            let json = #"{\#(field)"manifests":[],\#(other)}"#
            #expect(throws: DocumentError(.ambiguous)) { try document(json) }
        }
    }

    @Test func `schema 1 is refused by its type, by its field and by its version`() {
        let plain = "application/vnd.docker.distribution.manifest.v1+json"
        let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        let body = #"{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[{"blobSum":"sha256:\#(f64)"}],"history":[]}"#
        let vectors: [(String, MediaType?)] = [
            (body, nil), (body, .dockerManifest), (body, MediaType(rawValue: signed)),
            ("{}", MediaType(rawValue: plain)), (#"{"mediaType":"\#(plain)"}"#, nil),
            (#"{"mediaType":"\#(signed)"}"#, .dockerManifest),
        ]
        for (json, type) in vectors {
            #expect(throws: DocumentError(.schema1)) { try document(json, as: type) }
        }
        #expect(failure(body)?.contains("push the image again with a Docker of version 1.10 or later") == true)
    }

    @Test(arguments: [
        "", " ", "nope", #"{"manifests":[]"#, #"{"manifests":[]}x"#, "{'manifests':[]}",
        "\u{0}\u{0}\u{0}\u{0}",
    ])
    func `what is not JSON is refused`(json: String) {
        #expect(failure(json) == "the manifest cannot be read: it is not JSON")
    }

    @Test(arguments: ["[]", "[1]", "null", "1", #""text""#])
    func `what is JSON but no object is refused`(json: String) {
        #expect(failure(json) == "the manifest cannot be read: it is no JSON object")
    }

    @Test func `bytes that are no text are refused`() {
        let bytes = RandomBytes.make(count: 1000, seed: 1)
        let error = #expect(throws: DocumentError.self) { try Document(bytes: bytes, declaredType: .ociManifest) }
        #expect(error?.description == "the manifest cannot be read: it is not JSON")
    }

    /// A hundred thousand levels would end a reader that calls itself for each.
    @Test(arguments: ["[", #"{"a":"#, #"{"annotations":["#, #"{"manifests":[{"platform":"#])
    func `deep nesting is refused, it does not end the process`(opening: String) {
        for prefix in ["", #"{"manifests":[],"x":"#] {
            let json = prefix + String(repeating: opening, count: 100_000)
            #expect(failure(json) == "the manifest cannot be read: it is not JSON")
        }
    }

    @Test(arguments: [
        (#"{"config":\#(descriptor(size: "-1"))}"#, "config.size: a size must not be negative"),
        // The decoder tells neither the place of a number that no integer holds nor that it is one.
        (#"{"config":\#(descriptor(size: "1.5"))}"#, "it is not JSON"),
        (#"{"config":\#(descriptor(size: "9223372036854775808"))}"#, "it is not JSON"),
        (#"{"config":\#(descriptor(size: "-9223372036854775809"))}"#, "it is not JSON"),
        (#"{"config":\#(descriptor(size: "1e400"))}"#, "it is not JSON"),
        (#"{"config":\#(descriptor(size: "\"3\""))}"#, "config.size has the wrong type"),
        (#"{"config":\#(descriptor(size: "null"))}"#, "config.size has the wrong type"),
        (#"{"config":{"mediaType":"a","digest":"sha256:\#(f64)"}}"#, "config.size is missing"),
        (#"{"config":{"mediaType":"a","size":1}}"#, "config.digest is missing"),
        (#"{"config":{"digest":"sha256:\#(f64)","size":1}}"#, "config.mediaType is missing"),
        (#"{"config":[]}"#, "config has the wrong type"),
        (#"{"manifests":{}}"#, "manifests has the wrong type"),
        (#"{"manifests":[3]}"#, "manifests.0 has the wrong type"),
        (#"{"schemaVersion":"2","manifests":[]}"#, "schemaVersion has the wrong type"),
        (#"{"schemaVersion":99999999999999999999,"manifests":[]}"#, "it is not JSON"),
        (#"{"mediaType":7,"manifests":[]}"#, "mediaType has the wrong type"),
        (#"{"schemaVersion":2}"#, "it is neither a manifest nor an index"),
        (#"{"layers":[]}"#, "it is neither a manifest nor an index"),
    ])
    func `a wrong field is named`(json: String, reason: String) throws {
        let message = try #require(failure(json))
        #expect(message.hasPrefix("the manifest cannot be read: \(reason)"))
    }

    @Test func `a size of the largest number is read`() throws {
        let read = try document(#"{"config":\#(descriptor(size: "9223372036854775807"))}"#)
        #expect(read.blobs.map(\.size) == [.max])
    }

    @Test func `a document must have what its type asks for`() {
        let index = #"{"manifests":[]}"#
        let manifest = #"{"config":\#(descriptor()),"layers":[]}"#
        #expect(failure(index, as: .ociManifest) == "the manifest cannot be read: config is missing")
        #expect(failure(manifest, as: .dockerManifestList) == "the manifest cannot be read: manifests is missing")
    }

    @Test func `a digest of another algorithm is refused with its place`() {
        let child = #"{"mediaType":"a","digest":"blake3:\#(f64)","size":1}"#
        #expect(
            failure(#"{"manifests":[\#(descriptor()),\#(child)]}"#)?.hasPrefix(
                #"the manifest cannot be read: manifests.1.digest: "blake3:ffff"#
            ) == true
        )
    }

    @Test func `nothing that came from outside is printed with its control characters`() throws {
        let escape = #"\u001b[31m"#
        let type = try #require(failure(#"{"mediaType":"a\#(escape)","manifests":[]}"#, as: .ociIndex))
        #expect(type.contains(#"it is a\u{1B}[31m, its source says application/vnd.oci.image.index.v1+json"#))
        let key = try #require(failure(#"{"config":{"annotations":{"\#(escape)":5}}}"#.replacingConfig()))
        #expect(key == #"the manifest cannot be read: config.annotations.\u{1B}[31m has the wrong type"#)
        let digest = try #require(failure(#"{"config":{"mediaType":"a","size":1,"digest":"x\#(escape)"}}"#))
        #expect(!digest.contains("\u{1b}") && digest.contains(#"\u{1B}"#))
        let vast = String(repeating: "x", count: 1 << 20)
        let types = try #require(failure(#"{"mediaType":"\#(vast)","manifests":[]}"#, as: .ociIndex))
        #expect(types.utf8.count < 1000)
        let long = try #require(failure(#"{"config":{"mediaType":"a","size":1,"digest":"\#(f64)\#(f128)\#(f128)"}}"#))
        #expect(long.utf8.count < 500)
    }
}

extension String {
    /// The text with the required fields added to its config.
    fileprivate func replacingConfig() -> String {
        replacing(#"{"config":{"#, with: #"{"config":{"mediaType":"a","size":1,"digest":"sha256:\#(f64)","#)
    }
}
