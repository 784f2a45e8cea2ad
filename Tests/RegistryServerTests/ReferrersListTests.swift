import OCI
import TestSupport
import Testing

/// Lists that clients keep themselves, and lists that are too long for one answer.
@Suite struct ReferrersListTests {
    /// An index as a client without the referrers API makes it.
    private static func index(_ entries: [String]) throws -> TestDocument {
        let text = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[\(entries.joined(separator: ","))]}
            """
        return try TestDocument(bytes: Array(text.utf8), mediaType: .ociIndex)
    }

    private static func entry(_ digest: Digest, type: String, size: Int = 7) -> String {
        """
        {"mediaType":"\(MediaType.ociManifest)","digest":"\(digest)","size":\(size),"artifactType":"\(type)",\
        "annotations":{"from":"tag"}}
        """
    }

    /// Spec: distribution "Referrers Tag Schema": the digest with a hyphen, cut to 64 characters of its value.
    @Test(arguments: Digest.Algorithm.allCases)
    func `what a client listed under the fallback tag is listed too`(algorithm: Digest.Algorithm) async throws {
        let (_, subject) = try content(10, algorithm)
        let (_, elsewhere) = try content(20)
        let known = try TestReferrer(to: subject, artifactType: "a/known", annotations: ["from": "manifest"])
        let list = try Self.index([
            Self.entry(elsewhere, type: "a/listed"),
            // Of what is there the manifest says more than the list does.
            Self.entry(known.document.digest, type: "a/wrong"),
        ])
        try await withServer { server in
            try await server.push(known)
            #expect(try await server.referrers(of: subject) == [known].listed)
            let tag = "\(algorithm.rawValue)-\(subject.hex.prefix(64))"
            #expect(try await server.put(list, as: tag).status == 201)
            let listed = ReferrerList.Entry(
                mediaType: MediaType.ociManifest.rawValue,
                digest: elsewhere.description,
                size: 7,
                artifactType: "a/listed",
                annotations: ["from": "tag"]
            )
            let both = ([known.listed, listed]).sorted { $0.digest < $1.digest }
            #expect(try await server.referrers(of: subject) == both)
            #expect(try await server.referrers(of: subject, "?artifactType=a/listed") == [listed])
            // Under a tag as under any other, for clients that read it there.
            #expect(try await server.ask("GET", "/v2/app/manifests/\(tag)").body == list.bytes)
            #expect(try await server.ask("DELETE", "/v2/app/manifests/\(tag)").status == 202)
            #expect(try await server.referrers(of: subject) == [known].listed)
        }
    }

    /// Mirrors are asked with the name of the registry that they stand for; a directory has one content for all.
    @Test func `a directory lists the same whatever registry it is asked for`() async throws {
        let (_, subject) = try content(10)
        let first = try TestReferrer(to: subject, artifactType: "a/first")
        let second = try TestReferrer(to: subject, artifactType: "a/second")
        try await withServer { server in
            try await server.push(first)
            #expect(try await server.referrers(of: subject, "?ns=quay.io") == [first].listed)
            try await server.push(second)
            for parameters in ["?ns=quay.io", "", "?ns=docker.io"] {
                #expect(try await server.referrers(of: subject, parameters) == [first, second].listed)
            }
        }
    }

    @Test func `what is no list under the fallback tag lists nothing`() async throws {
        let (_, subject) = try content(10)
        let known = try TestReferrer(to: subject, artifactType: "a/known")
        try await withServer { server in
            try await server.push(known)
            // cosign's tags look much the same.
            #expect(try await server.put(known.document, as: "sha256-\(subject.hex)").status == 201)
            #expect(try await server.put(known.document, as: "sha256-\(subject.hex).sig").status == 201)
            #expect(try await server.referrers(of: subject) == [known].listed)
        }
    }

    /// Ten annotations of a tenth of a mebibyte each: five manifests do not fit into the four mebibytes of an answer.
    @Test(arguments: ["", "?artifactType=application/vnd.example%2Blarge"])
    func `a list that is too long comes in pages`(parameters: String) async throws {
        let (_, subject) = try content(10)
        let referrers = try (0..<9).map { number in
            let filler = String(repeating: "\(number)", count: 100 << 10)
            let annotations = (0..<10).map { ("k\($0)", filler) }
            return try TestReferrer(
                to: subject,
                artifactType: "application/vnd.example+large",
                annotations: Dictionary(uniqueKeysWithValues: annotations)
            )
        }
        let small = try TestReferrer(to: subject, artifactType: "a/small")
        try await withServer { server in
            for referrer in referrers + [small] { try await server.push(referrer) }
            var listed: [ReferrerList.Entry] = []
            var pageCount = 0
            var next: String? = "/v2/app/referrers/\(subject)\(parameters)"
            while let path = next, pageCount < 20 {
                let answer = try await server.ask("GET", path)
                try #require(answer.status == 200)
                #expect(answer.body.count <= 4 << 20)
                #expect(answer.headers("Content-Type") == [MediaType.ociIndex.rawValue])
                #expect(answer.headers("OCI-Filters-Applied") == (parameters.isEmpty ? [] : ["artifactType"]))
                listed += try answer.json(as: ReferrerList.self).manifests
                pageCount += 1
                let link = answer.header("Link")
                next = try link.map { try #require($0.wholeMatch(of: /<([^>]+)>; rel="next"/)) }.map { String($0.1) }
            }
            #expect(pageCount == 3)
            #expect(listed == (referrers + (parameters.isEmpty ? [small] : [])).listed)
        }
    }
}
