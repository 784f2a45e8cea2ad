import NIOHTTP1
import NIOPosix
import OCI

extension RegistryAPI {
    /// `GET /v2/<name>/referrers/<digest>`.
    ///
    /// It lists the manifests whose subject this is, and what a client listed under the fallback tag.
    ///
    /// Spec: distribution "Listing Referrers", "Referrers Tag Schema".
    func listReferrers(of text: String, in repository: RepositoryPath, _ request: Request) async throws -> Response {
        let subject = try digest(text)
        let store = store(for: request)
        let namespace = content.namespace(request.namespace)
        let (type, last) = (request.query["artifactType"], request.query["last"] ?? "")
        let key = ReferrersIndex.Key(namespace: namespace, repository: repository)
        let known = try await referrers.referrers(of: subject, in: key) { [readers] in
            try await readers.runIfActive { try store.subjects(in: repository) }
        }
        let page = try await blocking {
            var page = ReferrersPage()
            let listed = try store.fallbackReferrers(of: subject, in: repository)
            // One after the other: there may be more than fits into memory.
            for digest in known.union(listed.keys).sorted() where digest.description > last {
                let own = known.contains(digest) ? try store.referrer(digest, in: repository) : nil
                guard let referrer = own ?? listed[digest] else { continue }
                guard type == nil || referrer.artifactType == type else { continue }
                guard page.add(referrer) else { break }
            }
            return page
        }
        var headers: HTTPHeaders = ["Content-Type": MediaType.ociIndex.rawValue]
        if type != nil { headers.add(name: "OCI-Filters-Applied", value: "artifactType") }
        if let end = page.continuesAfter {
            let parameters = [("artifactType", type), ("ns", namespace)].compactMap { name, value in
                value.map { "&\(name)=\(PercentEncoding.encode($0))" }
            }
            let path = "/v2/\(repository)/referrers/\(subject)?last=\(end)" + parameters.joined()
            headers.add(name: "Link", value: "<\(path)>; rel=\"next\"")
        }
        return Response(.ok, headers: headers, body: .bytes(page.body))
    }
}

/// What is told of a manifest that refers to another.
private struct Referrer: Encodable {
    let mediaType: MediaType
    let digest: Digest
    let size: Int64
    let artifactType: String?
    let annotations: [String: String]?
}

/// An index of referrers, of a size that clients accept.
private struct ReferrersPage {
    private static let start = Array(
        #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":["#.utf8
    )
    private static let end = Array("]}".utf8)

    private var entries: [UInt8] = []
    private var lastDigest: Digest?
    /// The last digest of this page, where there are more.
    private(set) var continuesAfter: Digest?

    var body: [UInt8] { Self.start + entries + Self.end }

    /// Adds a referrer; false where the page is full.
    mutating func add(_ referrer: Referrer) -> Bool {
        let entry = JSONBody.encode(referrer)
        let byteCount = Self.start.count + entries.count + 1 + entry.count + Self.end.count
        // One that is too large alone is a page of its own.
        guard entries.isEmpty || byteCount <= Document.byteLimit else {
            continuesAfter = lastDigest
            return false
        }
        if !entries.isEmpty { entries.append(UInt8(ascii: ",")) }
        entries += entry
        lastDigest = referrer.digest
        return true
    }
}

extension RegistryStore {
    /// What a manifest says of itself as a referrer; nil where it is not there any more, or cannot be read.
    fileprivate func referrer(_ digest: Digest, in repository: RepositoryPath) throws -> Referrer? {
        guard let bytes = try readableManifest(digest, in: repository),
            let fields = try? ManifestFields(parsing: bytes)
        else { return nil }
        return Referrer(
            mediaType: MediaType(ofStored: bytes),
            digest: digest,
            size: Int64(bytes.count),
            artifactType: fields.listedType,
            annotations: fields.annotations
        )
    }

    /// What clients listed themselves, under the tag `<algorithm>-<hex>`.
    fileprivate func fallbackReferrers(
        of subject: Digest,
        in repository: RepositoryPath
    ) throws -> [Digest: Referrer] {
        let tag = try Tag(parsing: "\(subject.algorithm.rawValue)-\(subject.hex.prefix(64))")
        guard let digest = try digest(of: tag, in: repository),
            let bytes = try readableManifest(digest, in: repository),
            // Whatever else somebody put under that tag is no list of referrers.
            let list = try? Document(bytes: bytes, declaredType: nil)
        else { return [:] }
        let referrers = list.children.map { child in
            Referrer(
                mediaType: child.mediaType,
                digest: child.digest,
                size: child.size,
                artifactType: child.artifactType,
                annotations: child.annotations
            )
        }
        return Dictionary(referrers.map { ($0.digest, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
