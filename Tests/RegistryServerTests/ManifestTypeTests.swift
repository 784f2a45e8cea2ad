import TestSupport
import Testing

/// Which types a manifest may have, and which agree with which `Content-Type`.
@Suite struct ManifestTypeTests {
    /// A manifest of an empty config.
    private static func manifest(_ mediaType: String?, more: String = "") -> [UInt8] {
        let type = mediaType.map { #""mediaType":"\#($0)","# } ?? ""
        let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        let config = #"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"\#(empty)","size":2}"#
        return Array(#"{"schemaVersion":2,\#(type)"config":\#(config),"layers":[]\#(more)}"#.utf8)
    }

    private func put(_ bytes: [UInt8], type: String?, _ server: TestServer) async throws -> HTTPAnswer {
        try await server.push(Array("{}".utf8))
        let headers = type.map { [(name: "Content-Type", value: $0)] } ?? []
        return try await server.ask("PUT", "/v2/app/manifests/latest", headers: headers, body: bytes)
    }

    private static let oci = "application/vnd.oci.image.manifest.v1+json"
    private static let docker = "application/vnd.docker.distribution.manifest.v2+json"
    private static let index = "application/vnd.oci.image.index.v1+json"

    /// The manifest's own type, the header, and the type that it is given out with.
    @Test(arguments: [
        (oci, oci, oci), (docker, docker, docker), (oci, nil, oci), (nil, oci, oci), (nil, nil, oci),
        // Spec: distribution "Pushing Manifests": parameters are to be ignored, and not to be sent back.
        (oci, "\(oci); charset=utf-8", oci), (oci, "\(oci) ;charset=utf-8", oci),
    ])
    func `a type that agrees is taken`(own: String?, header: String?, given: String) async throws {
        try await withServer { server in
            let bytes = Self.manifest(own)
            let answer = try await put(bytes, type: header, server)
            #expect(answer.status == 201)
            let pulled = try await server.ask("GET", "/v2/app/manifests/latest")
            #expect(pulled.body == bytes)
            #expect(pulled.headers("Content-Type") == [given])
        }
    }

    @Test(arguments: [
        (oci, docker), (docker, oci), (oci, index), (nil, docker), (nil, index), (oci, "application/json"),
        (oci, "application/octet-stream"), (oci, "text/plain; \(oci)"), (oci, ""),
    ])
    func `a type that does not is refused`(own: String?, header: String) async throws {
        try await withServer { server in
            let answer = try await put(Self.manifest(own), type: header, server)
            expect(answer, 400, "MANIFEST_INVALID")
            #expect(try await server.ask("HEAD", "/v2/app/manifests/latest").status == 404)
        }
    }

    /// What would be given out as a header is held to be one before it is acknowledged.
    @Test(arguments: [
        #"a/b\r\nX-Evil: 1"#, #"a/b\u007f"#, "é/ü", "a b/c", "a", "a/", "/b", "a/b/c",
        "a/" + String(repeating: "b", count: 300),
    ])
    func `what is no name of a type is refused`(own: String) async throws {
        try await withServer { server in
            expect(try await put(Self.manifest(own), type: nil, server), 400, "MANIFEST_INVALID")
            #expect(try await server.ask("HEAD", "/v2/app/manifests/latest").status == 404)
        }
    }

    /// A registry is not to know everything that there will be.
    @Test func `a type that nobody knows goes in and comes out`() async throws {
        let type = "application/vnd.example.thing.v1+json"
        let bytes = Array(#"{"mediaType":"\#(type)","whatever":[1,2,3]}"#.utf8)
        try await withServer { server in
            #expect(try await put(bytes, type: type, server).status == 201)
            let pulled = try await server.ask("GET", "/v2/app/manifests/latest")
            #expect(pulled.body == bytes)
            #expect(pulled.headers("Content-Type") == [type])
        }
    }

    @Test func `fields that nobody knows are kept as they are`() async throws {
        let bytes = Self.manifest(Self.oci, more: #","org.example.custom":{"b":1,"a":[null,1.50]}  "#)
        try await withServer { server in
            let answer = try await put(bytes, type: Self.oci, server)
            #expect(answer.status == 201)
            #expect(try await server.ask("GET", "/v2/app/manifests/latest").body == bytes)
        }
    }

    @Test(arguments: [
        "", "not JSON", "[]", "null", "\"text\"", "{}", "{", #"{"schemaVersion":2}"#,
        #"{"schemaVersion":2,"mediaType":"\#(oci)"}"#, #"{"schemaVersion":2,"mediaType":"\#(index)"}"#,
        #"{"schemaVersion":2,"mediaType":7}"#, #"{"schemaVersion":2,"manifests":[7]}"#,
        #"{"schemaVersion":2,"mediaType":"\#(index)","manifests":[{"digest":"sha256:abc","size":1}]}"#,
        // An index to one reader, an image to another.
        #"{"schemaVersion":2,"manifests":[],"config":{"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}"#,
        // No names of types: what was pushed so could not be given out with it.
        #"{"mediaType":"nonsense"}"#, #"{"mediaType":"a/b/c"}"#, #"{"mediaType":"a/b c"}"#,
        #"{"mediaType":"a/b\u000d\u000ax: y"}"#,
        // Schema 1, which has been given up everywhere.
        #"{"schemaVersion":1,"name":"app","tag":"latest","fsLayers":[],"history":[]}"#,
        #"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws"}"#,
    ])
    func `what is no manifest is refused`(text: String) async throws {
        try await withServer { server in
            for type in [nil, Self.oci] {
                let answer = try await put(Array(text.utf8), type: type, server)
                expect(answer, 400, "MANIFEST_INVALID", "\(text)")
            }
            let binary = try await put([0xff, 0xfe, 0, 1], type: nil, server)
            expect(binary, 400, "MANIFEST_INVALID")
            #expect(server.storage.tags(repository: "app").isEmpty)
            try await expectAlive(server)
        }
    }
}
