import OCI

extension ImageBuilder {
    /// What BuildKit adds to an index for one of its images: a manifest for no platform that names the image it attests.
    package func attestation(of image: TestImage) throws -> TestImage {
        let statement = Array(#"{"_type":"https://in-toto.io/Statement/v0.1","subject":"\#(image.digest)"}"#.utf8)
        let unknown = Platform(os: "unknown", architecture: "unknown")
        let layer = try TestBlob(
            bytes: statement,
            mediaType: MediaType(rawValue: "application/vnd.in-toto+json"),
            diffID: try Digest.of(statement),
            algorithm: algorithm
        )
        var builder = self
        builder.family = .oci
        var result = try builder.image(layers: [layer], platform: unknown, command: [])
        result.annotations = [
            "vnd.docker.reference.digest": image.digest.description,
            "vnd.docker.reference.type": "attestation-manifest",
        ]
        return result
    }

    /// Something in a registry that is no image: a manifest with an empty config and a payload of any type.
    ///
    /// - Parameters:
    ///   - payload: the one layer's bytes.
    ///   - layer: the one layer, where it is not just a payload.
    ///   - type: the artifact's type.
    ///   - subject: what it refers to, where it is a signature or the like.
    /// - Returns: an OCI manifest, whatever the family.
    /// - Throws: never, unless OpenSSL or zlib refuse.
    package func artifact(
        payload: [UInt8] = Array("a chart".utf8),
        layer: TestBlob? = nil,
        type: String = "application/vnd.cncf.helm.config.v1+json",
        subject: TestImage? = nil
    ) throws -> TestImage {
        let config = try TestBlob(
            bytes: Array("{}".utf8),
            mediaType: MediaType(rawValue: "application/vnd.oci.empty.v1+json"),
            algorithm: algorithm
        )
        let layer =
            try layer
            ?? TestBlob(
                bytes: payload,
                mediaType: MediaType(rawValue: "application/octet-stream"),
                algorithm: algorithm
            )
        let json = ManifestJSON(
            mediaType: Family.oci.manifest.rawValue,
            artifactType: type,
            config: DescriptorJSON(config),
            layers: [DescriptorJSON(layer)],
            subject: subject.map { DescriptorJSON($0.top) }
        )
        return TestImage(
            document: try TestDocument(bytes: try encoded(json), mediaType: .ociManifest, algorithm: algorithm),
            children: [],
            config: config,
            layers: [layer],
            platform: nil
        )
    }

    /// Something in a registry that says all in its manifest: it has no layers, its config is in its own descriptor too,
    /// and it has a field that no specification has.
    ///
    /// - Parameter subject: what it refers to, where it is a signature or the like.
    /// - Returns: an OCI manifest, whatever the family.
    /// - Throws: never, unless OpenSSL refuses.
    package func bareArtifact(subject: TestImage? = nil) throws -> TestImage {
        let config = try TestBlob(
            bytes: Array("{}".utf8),
            mediaType: MediaType(rawValue: "application/vnd.oci.empty.v1+json"),
            algorithm: algorithm
        )
        func json(_ descriptor: Descriptor, _ more: String = "") -> String {
            let (type, digest) = (descriptor.mediaType.rawValue, descriptor.digest)
            return #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(descriptor.size)\#(more)}"#
        }
        let text = """
            {"schemaVersion":2,"mediaType":"\(Family.oci.manifest.rawValue)","artifactType":"application/vnd.example",\
            "config":\(json(config.descriptor, #","data":"e30=""#)),"layers":[],\
            \(subject.map { "\"subject\":\(json($0.top))," } ?? "")"example":{"a":[1, 2.50]}}
            """
        return TestImage(
            document: try TestDocument(bytes: Array(text.utf8), mediaType: .ociManifest, algorithm: algorithm),
            children: [],
            config: config,
            layers: [],
            platform: nil
        )
    }

    /// Indexes within indexes, so many levels of them over one image.
    package mutating func nestedIndex(levels: Int) throws -> TestImage {
        var result = try image()
        for _ in 0..<levels { result = try index(of: [result]) }
        return result
    }
}
