import FoundationEssentials
package import OCI

/// The list of referrers under a tag, for registries without a Referrers API.
///
/// Spec: distribution "Referrers Tag Schema", "Pushing Manifests with Subject".
extension RegistryClient {
    /// How often a list is read again, should somebody else have written it at the same time.
    private static let listAttemptLimit = 3

    /// Adds referrers to the list for their subject, which is made where there is none.
    ///
    /// What is in it stays as it is.
    ///
    /// - Throws: ``RegistryError``.
    package func list(_ referrers: [Document], of subject: Digest, in repository: Repository) async throws {
        guard let tag = AttachmentTag.list(of: subject) else { return }
        let target = ManifestTarget.tag(tag)
        let context = RequestContext(operation: "listing referrers under", subject: target.name(in: repository))
        for _ in 0..<Self.listAttemptLimit {
            let list: ReferrersList?
            if let digest = try await headManifest(target, in: repository, for: .push) {
                list = ReferrersList(try await fetchManifest(.digest(digest), in: repository))
            } else {
                list = ReferrersList()
            }
            guard var list else {
                throw RegistryError(.other, context, reason: "what is there is no list of referrers")
            }
            guard list.add(referrers) else { return }
            let document: Document
            do {
                document = try list.document()
            } catch {
                throw RegistryError(.unusableManifest(error), context)
            }
            try await putManifest(document, as: target, in: repository)
        }
        throw RegistryError(.other, context, reason: "somebody else changes it all the time")
    }
}

/// A list of referrers, with all that others wrote into it.
struct ReferrersList {
    private var fields: [String: JSONValue] = [
        "schemaVersion": .integer(2), "mediaType": .string(MediaType.ociIndex.rawValue),
    ]
    private var entries: [JSONValue] = []

    /// An empty list.
    init() {}

    /// Reads a list; nil where it is none.
    init?(_ document: Document) {
        guard case .index = document.content,
            let fields = try? JSONDecoder().decode([String: JSONValue].self, from: Data(document.bytes)),
            case .array(let entries) = fields["manifests"]
        else { return nil }
        (self.fields, self.entries) = (fields, entries)
    }

    /// Adds what is not there.
    ///
    /// - Returns: whether anything was missing.
    mutating func add(_ referrers: [Document]) -> Bool {
        let known = Set(entries.compactMap { $0["digest"]?.text })
        let missing = referrers.filter { !known.contains($0.descriptor.digest.description) }
        entries += missing.map(Self.entry)
        return !missing.isEmpty
    }

    /// What the list says of a referrer: as the Referrers API would.
    private static func entry(_ referrer: Document) -> JSONValue {
        let content = (try? JSONDecoder().decode(JSONValue.self, from: Data(referrer.bytes))) ?? .null
        var entry: [String: JSONValue] = [
            "mediaType": .string(referrer.descriptor.mediaType.rawValue),
            "digest": .string(referrer.descriptor.digest.description),
            "size": .integer(referrer.descriptor.size),
        ]
        entry["artifactType"] = content["artifactType"] ?? content["config"]?["mediaType"]
        entry["annotations"] = content["annotations"]
        return .object(entry)
    }

    /// The list as it is put.
    func document() throws(DocumentError) -> Document {
        var fields = fields
        fields["manifests"] = .array(entries)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(fields) else {
            throw DocumentError(.unreadable(reason: "it has no form as JSON"))
        }
        return try Document(bytes: Array(bytes), declaredType: .ociIndex)
    }
}
