import Foundation
import OCI
import TestSupport
import Testing

/// A manifest or an index that refers to another, made by hand.
struct TestReferrer {
    static let emptyType = "application/vnd.oci.empty.v1+json"
    static let empty = Array("{}".utf8)

    let document: TestDocument
    let artifactType: String?
    let annotations: [String: String]?

    /// An artifact, or with a config's type and no artifact type an image.
    init(
        to subject: Digest,
        artifactType: String?,
        configType: String = emptyType,
        annotations: [String: String]? = nil
    ) throws {
        let config = #"{"mediaType":"\#(configType)","digest":"\#(try Digest.of(Self.empty))","size":2}"#
        document = try Self.document(
            .ociManifest,
            #""config":\#(config),"layers":[]"#,
            to: subject,
            artifactType,
            annotations
        )
        self.artifactType = artifactType ?? configType
        self.annotations = annotations
    }

    /// An index of nothing.
    init(indexTo subject: Digest, artifactType: String?, annotations: [String: String]? = nil) throws {
        document = try Self.document(.ociIndex, #""manifests":[]"#, to: subject, artifactType, annotations)
        self.artifactType = artifactType
        self.annotations = annotations
    }

    private static func document(
        _ type: MediaType,
        _ fields: String,
        to subject: Digest,
        _ artifactType: String?,
        _ annotations: [String: String]?
    ) throws -> TestDocument {
        let subject = #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(subject)","size":7}"#
        var text = #"{"schemaVersion":2,"mediaType":"\#(type)",\#(fields),"subject":\#(subject)"#
        if let artifactType { text += #","artifactType":"\#(artifactType)""# }
        if let annotations {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            text += #","annotations":"# + String(decoding: try encoder.encode(annotations), as: UTF8.self)
        }
        return try TestDocument(bytes: Array((text + "}").utf8), mediaType: type)
    }

    /// What a list has to say of it.
    var listed: ReferrerList.Entry {
        ReferrerList.Entry(
            mediaType: document.mediaType.rawValue,
            digest: document.digest.description,
            size: document.bytes.count,
            artifactType: artifactType,
            annotations: annotations
        )
    }
}

/// What the referrers API answers.
struct ReferrerList: Decodable, Equatable {
    struct Entry: Decodable, Equatable {
        let mediaType: String
        let digest: String
        let size: Int
        let artifactType: String?
        let annotations: [String: String]?
    }

    let schemaVersion: Int
    let mediaType: String
    let manifests: [Entry]
}

extension TestServer {
    /// Puts a referrer there by its digest.
    @discardableResult
    func push(_ referrer: TestReferrer, to repository: String = "app") async throws -> HTTPAnswer {
        try await push(TestReferrer.empty, to: repository)
        let answer = try await put(referrer.document, to: repository, as: referrer.document.digest.description)
        try #require(answer.status == 201, "\(answer.text)")
        return answer
    }

    /// Asks for the referrers of a subject; they come in the order of their digests.
    func referrers(of subject: Digest, in repository: String = "app", _ parameters: String = "") async throws
        -> [ReferrerList.Entry]
    {
        let answer = try await ask("GET", "/v2/\(repository)/referrers/\(subject)\(parameters)")
        try #require(answer.status == 200, "\(answer.text)")
        #expect(answer.headers("Content-Type") == [MediaType.ociIndex.rawValue])
        let list = try answer.json(as: ReferrerList.self)
        #expect(list.schemaVersion == 2 && list.mediaType == MediaType.ociIndex.rawValue)
        return list.manifests
    }
}

extension Sequence<TestReferrer> {
    /// What a list of them is.
    var listed: [ReferrerList.Entry] { map(\.listed).sorted { $0.digest < $1.digest } }
}
