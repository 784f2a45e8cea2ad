import FoundationEssentials

/// What a manifest or an index needs and refers to, whatever its form.
///
/// What is to be deleted depends on it, so it takes a digest for needed wherever any form of manifest has one: a text
/// that is an image to one reader and an index to another keeps what both would fetch.
struct ManifestFacts: Sendable, Hashable {
    /// A manifest or a blob beneath.
    struct Need: Sendable, Hashable {
        let digest: Digest
        /// Its size in bytes, as the manifest states it; 0 where it states none.
        let byteCount: Int64
        /// What it is: an index need not have all its manifests, and registries need not have every layer.
        var kind = Kind.blob
    }

    /// What is needed.
    enum Kind: Sendable {
        case manifest
        case blob
        /// A layer that its maker asks not to be distributed.
        case foreignLayer
    }

    /// The bytes of the manifest itself.
    let byteCount: Int64
    /// The manifests and blobs directly beneath.
    let needs: [Need]
    /// What it refers to, where it is a signature, an attestation or another referrer.
    let subject: Digest?
    /// The image's config, where there is one.
    let config: Digest?
    /// When it was made, as far as it says so itself.
    var created: Date?
    /// Whether it is the empty index by which a tag is removed, left over from a removal that broke off.
    var isThrowAway = false

    /// The manifests directly beneath.
    var children: [Digest] { needs.filter { $0.kind == .manifest }.map(\.digest) }
}

extension ManifestFacts {
    /// Reads them.
    ///
    /// - Parameter bytes: the manifest, whose digest was verified.
    /// - Throws: ``DrayageError`` where it has no form that is known, so that nobody can say what it needs.
    init(parsing bytes: [UInt8]) throws {
        let form: Form
        do {
            form = try JSONDecoder().decode(Form.self, from: Data(bytes))
        } catch {
            throw DrayageError(.unverified, "it is no manifest of a known form")
        }
        let isKnown =
            form.config != nil || form.manifests != nil || form.layers != nil || form.blobs != nil
            || form.fsLayers != nil
        // A type of its own may keep what it needs anywhere.
        guard isKnown else { throw DrayageError(.unverified, "it is no manifest of a known form") }
        let manifests = (form.manifests ?? []).map { $0.need(.manifest) }
        let blobs = ([form.config].compactMap(\.self) + (form.layers ?? []) + (form.blobs ?? [])).map { part in
            part.need(part.isForeignLayer ? .foreignLayer : .blob)
        }
        let bare = (form.fsLayers ?? []).map { Need(digest: $0.blobSum, byteCount: 0) }
        var seen: Set<Digest> = []
        needs = (manifests + blobs + bare).filter { seen.insert($0.digest).inserted }
        byteCount = Int64(bytes.count)
        subject = form.subject?.digest
        config = form.config?.digest
        isThrowAway = form.annotations?[Document.throwAwayAnnotation] != nil
        created = form.annotations?["org.opencontainers.image.created"].flatMap(Date.init(rfc3339:))
    }

    /// The fields of all forms: OCI and Docker manifests and indexes, OCI's former artifact manifest, Docker's schema 1.
    private struct Form: Decodable {
        struct Part: Decodable {
            let digest: Digest
            let size: Int64?
            let mediaType: MediaType?
            let urls: [String]?

            var isForeignLayer: Bool { mediaType?.isNondistributable == true && urls?.isEmpty == false }

            func need(_ kind: Kind) -> Need { Need(digest: digest, byteCount: max(0, size ?? 0), kind: kind) }
        }

        struct Schema1Layer: Decodable {
            let blobSum: Digest
        }

        let config: Part?
        let layers: [Part]?
        let blobs: [Part]?
        let manifests: [Part]?
        let subject: Part?
        let fsLayers: [Schema1Layer]?
        let annotations: [String: String]?
    }
}

extension ManifestFacts {
    /// When an image was made, as its config says; nil where it does not say it, or is no config.
    ///
    /// Spec: image "OCI Image Configuration", `created`.
    static func created(inConfig bytes: [UInt8]) -> Date? {
        struct Config: Decodable {
            let created: String?
        }
        let config = try? JSONDecoder().decode(Config.self, from: Data(bytes))
        return config?.created.flatMap(Date.init(rfc3339:))
    }
}

extension Date {
    /// Reads a time as configs and annotations have it, to the second: `2024-05-01T12:00:00.123456789Z`.
    init?(rfc3339 text: String) {
        // Fractions have any number of digits, which no strategy takes.
        let digits = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let zone = digits.count == 2 ? digits[1].drop { $0.isNumber } : ""
        guard let date = try? Date(String(digits[0]) + zone, strategy: .iso8601) else { return nil }
        self = date
    }
}
