import Foundation
import Testing

/// The document of `--json`, as a program that reads it would declare it.
struct ReportDocument: Decodable {
    struct Image: Decodable {
        let reference: String
        let target: String?
        let digest: String?
        let mediaType: String?
        let platforms: [String]?
        let byteCount: Int64?
        let status: String
        let previousDigest: String?
        let attempts: Int?
        let source: String?
    }

    struct Blob: Decodable {
        let digest: String
        let mediaType: String
        let byteCount: Int64
        let status: String
        let source: String?
        let target: String?
        let movedByteCount: Int64?
        let attempts: Int?
        let cause: String?
    }

    struct Failure: Decodable {
        let subject: String
        let message: String
    }

    struct Totals: Decodable {
        let blobCount: Int
        let byteCount: Int64
        let uploadCount: Int?
        let mountCount: Int?
        let keptByteCount: Int64?
        let reusedByteCount: Int64?
        let fetchedByteCount: Int64?
        let requestCount: Int?
        let layerCount: Int?
        let layerByteCount: Int64?
    }

    struct Quota: Decodable {
        let registry: String
        let limit: Int?
        let remaining: Int
        let windowSeconds: Int?
        let needed: Int
    }

    struct Tags: Decodable {
        let repository: String
        let tags: [String]
    }

    let schema: String
    let command: String
    let outcome: String
    let bundle: String?
    let bundleByteCount: Int64?
    let target: String?
    let images: [Image]
    let blobs: [Blob]?
    let repositories: [Tags]?
    let totals: Totals?
    let notes: [String]
    let quotas: [Quota]?
    let failures: [Failure]

    /// Reads bytes that are one document and nothing else.
    init(_ bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(ReportDocument.self, from: Data(bytes))
        #expect(schema == "dev.drayage.report.v1")
    }
}
