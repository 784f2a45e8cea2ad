import FoundationEssentials
import OCI

/// The fields of a manifest or an index that a list of referrers is made from.
///
/// Spec: image "Guidelines for Artifact Usage"; distribution "Listing Referrers".
struct ManifestFields: Decodable {
    struct Config: Decodable {
        let mediaType: String?
    }

    let artifactType: String?
    let config: Config?
    let annotations: [String: String]?
    let subject: Descriptor?

    /// Reads them.
    ///
    /// - Throws: ``DocumentError`` where one is not what it should be.
    init(parsing bytes: [UInt8]) throws(DocumentError) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            throw DocumentError(.unreadable(reason: "its artifactType, config, annotations or subject is malformed"))
        }
    }

    /// What the list says that the referrer is: an image manifest without a type of its own is of its config's.
    var listedType: String? {
        if let artifactType, !artifactType.isEmpty { return artifactType }
        return config?.mediaType
    }
}

extension MediaType {
    /// The type of a manifest that was stored, which stands in it or follows from its form.
    ///
    /// Another registry may have stored what this one would refuse, so whatever it is has a type.
    init(ofStored bytes: [UInt8]) {
        struct Form: Decodable {
            struct Anything: Decodable {}
            let schemaVersion: Int?
            let mediaType: MediaType?
            let manifests: [Anything]?
            let config: Anything?
        }
        let form = try? JSONDecoder().decode(Form.self, from: Data(bytes))
        if let own = form?.mediaType, own.isWellFormed {
            self = own
        } else if form?.schemaVersion == 1 {
            self.init(rawValue: "application/vnd.docker.distribution.manifest.v1+prettyjws")
        } else if form?.manifests != nil {
            self = .ociIndex
        } else if form?.config != nil {
            self = .ociManifest
        } else {
            self.init(rawValue: "application/octet-stream")
        }
    }
}
