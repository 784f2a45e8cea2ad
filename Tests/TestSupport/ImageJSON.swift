import Foundation
import OCI

// The documents as their makers write them. They are encoded here, not by the values of OCI, so that a mistake there
// cannot hide behind itself.

func encoded(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(value))
}

struct DescriptorJSON: Encodable {
    var mediaType: String
    var digest: String
    var size: Int64
    var urls: [String]?
    var annotations: [String: String]?
    var platform: PlatformJSON?

    init(_ descriptor: Descriptor) {
        mediaType = descriptor.mediaType.rawValue
        digest = descriptor.digest.description
        size = descriptor.size
    }

    init(_ blob: TestBlob) {
        self.init(blob.descriptor)
        urls = blob.urls
    }

    init(_ child: TestImage) {
        self.init(child.top)
        annotations = child.annotations
        platform = child.platform.map(PlatformJSON.init)
    }
}

struct PlatformJSON: Encodable {
    var os: String
    var architecture: String
    var variant: String?
    var osVersion: String?

    init(_ platform: Platform) {
        os = platform.os
        architecture = platform.architecture
        variant = platform.variant
        osVersion = platform.osVersion
    }

    enum CodingKeys: String, CodingKey {
        case os
        case architecture
        case variant
        case osVersion = "os.version"
    }
}

struct ManifestJSON: Encodable {
    var schemaVersion = 2
    var mediaType: String?
    var artifactType: String?
    var config: DescriptorJSON
    var layers: [DescriptorJSON]
    var subject: DescriptorJSON?
    var annotations: [String: String]?
}

struct IndexJSON: Encodable {
    var schemaVersion = 2
    var mediaType: String?
    var manifests: [DescriptorJSON]
    var annotations: [String: String]?
}

struct ConfigJSON: Encodable {
    var created = "1970-01-01T00:00:00Z"
    var architecture: String
    var os: String
    var variant: String?
    var osVersion: String?
    var config: Run
    var rootfs: RootFS
    var history: [Step]

    struct Run: Encodable {
        var command: [String]
        enum CodingKeys: String, CodingKey { case command = "Cmd" }
    }

    struct RootFS: Encodable {
        var type = "layers"
        var diffIDs: [String]

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }
    }

    struct Step: Encodable {
        var created = "1970-01-01T00:00:00Z"
        var author = "drayage tests"
        enum CodingKeys: String, CodingKey {
            case created
            case author = "created_by"
        }
    }

    enum CodingKeys: String, CodingKey {
        case created
        case architecture
        case os
        case variant
        case osVersion = "os.version"
        case config
        case rootfs
        case history
    }
}

extension ImageBuilder.Family {
    var index: MediaType { self == .oci ? .ociIndex : .dockerManifestList }
    var manifest: MediaType { self == .oci ? .ociManifest : .dockerManifest }
    var config: MediaType { self == .oci ? .ociConfig : .dockerConfig }

    var layer: MediaType {
        self == .oci
            ? MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar+gzip")
            : MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar.gzip")
    }

    var plainLayer: MediaType {
        self == .oci
            ? MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar")
            : MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar")
    }

    var foreignLayer: MediaType {
        self == .oci
            ? MediaType(rawValue: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
            : MediaType(rawValue: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    }
}
