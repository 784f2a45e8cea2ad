import OCI
import TestSupport
import Testing

/// Spec: distribution "Listing Referrers", "Pushing Manifests with Subject".
@Suite struct ReferrersTests {
    private static let signature = "application/vnd.example.signature"

    /// One of each kind.
    private static func referrers(to subject: Digest) throws -> [TestReferrer] {
        [
            try TestReferrer(to: subject, artifactType: signature, annotations: ["a": "1", "b": "zwei \" / ü"]),
            try TestReferrer(to: subject, artifactType: "application/vnd.example.sbom+json"),
            try TestReferrer(to: subject, artifactType: nil, configType: "application/vnd.oci.image.config.v1+json"),
            try TestReferrer(to: subject, artifactType: "", configType: signature),
            try TestReferrer(indexTo: subject, artifactType: signature, annotations: [:]),
            try TestReferrer(indexTo: subject, artifactType: nil),
        ]
    }

    /// As a list is to have them: an empty type is none, and an image without one is of its config's.
    private static func listed(_ referrers: [TestReferrer]) -> [ReferrerList.Entry] {
        referrers.listed.map { entry in
            guard entry.artifactType == "" else { return entry }
            return ReferrerList.Entry(
                mediaType: entry.mediaType,
                digest: entry.digest,
                size: entry.size,
                artifactType: signature,
                annotations: entry.annotations
            )
        }
    }

    @Test(arguments: Digest.Algorithm.allCases, [false, true])
    func `all that refers to a subject is listed, whether it is there or not`(
        algorithm: Digest.Algorithm,
        isThere: Bool
    ) async throws {
        var builder = ImageBuilder(algorithm: algorithm)
        let image = try builder.image()
        let referrers = try Self.referrers(to: image.digest)
        try await withServer { server in
            if isThere { try await server.push(image) }
            #expect(try await server.referrers(of: image.digest).isEmpty)
            for (index, referrer) in referrers.enumerated() {
                let answer = try await server.push(referrer)
                #expect(answer.headers("OCI-Subject") == ["\(image.digest)"])
                let listed = try await server.referrers(of: image.digest)
                #expect(listed == Self.listed(Array(referrers[...index])))
            }
            // By a tag too, and once more: still listed once.
            let again = try await server.put(referrers[0].document, as: "signed")
            #expect(again.headers("OCI-Subject") == ["\(image.digest)"])
            #expect(try await server.referrers(of: image.digest) == Self.listed(referrers))
            // What refers to a referrer is not listed with it, but under it.
            let second = try TestReferrer(to: referrers[0].document.digest, artifactType: "a/b")
            try await server.push(second)
            #expect(try await server.referrers(of: image.digest) == Self.listed(referrers))
            #expect(try await server.referrers(of: referrers[0].document.digest) == [second].listed)
        }
    }

    @Test func `nothing refers to what nobody knows`() async throws {
        let (_, digest) = try content(10)
        try await withServer { server in
            let answer = try await server.ask("GET", "/v2/nowhere/referrers/\(digest)")
            #expect(answer.status == 200)
            let index = MediaType.ociIndex
            #expect(answer.text == #"{"schemaVersion":2,"mediaType":"\#(index)","manifests":[]}"#)
            #expect(answer.headers("OCI-Filters-Applied").isEmpty && answer.headers("Link").isEmpty)
            let head = try await server.ask("HEAD", "/v2/nowhere/referrers/\(digest)")
            #expect(head.status == 200 && head.headers("Content-Length") == [String(answer.body.count)])
            let sha512 = try Digest.of([1], algorithm: .sha512)
            #expect(try await server.referrers(of: sha512, in: "nowhere").isEmpty)
            for text in ["latest", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", ""] {
                expect(try await server.ask("GET", "/v2/app/referrers/\(text)"), 400, "DIGEST_INVALID", "\(text)")
            }
            #expect(server.storage.repositories().isEmpty)
        }
    }

    /// An index has no member `artifactType` where it has no type.
    @Test func `what is not said is left out`() async throws {
        let (_, digest) = try content(10)
        try await withServer { server in
            try await server.push(TestReferrer(indexTo: digest, artifactType: nil))
            let answer = try await server.ask("GET", "/v2/app/referrers/\(digest)")
            #expect(!answer.text.contains("artifactType") && !answer.text.contains("annotations"))
            #expect(!answer.text.contains("null"))
        }
    }

    @Test func `a repository has its own referrers`() async throws {
        let (_, digest) = try content(10)
        try await withServer { server in
            let (here, there) = (
                try TestReferrer(to: digest, artifactType: "a/here"),
                try TestReferrer(to: digest, artifactType: "a/there")
            )
            try await server.push(here, to: "app")
            try await server.push(there, to: "app/deeper")
            #expect(try await server.referrers(of: digest, in: "app") == [here].listed)
            #expect(try await server.referrers(of: digest, in: "app/deeper") == [there].listed)
        }
    }

    /// The type is percent-encoded, or what of it need not be is not.
    @Test(arguments: [
        ("application/vnd.example.signature", signature), ("application%2Fvnd.example.signature", signature),
        ("application/vnd.example.sbom%2Bjson", "application/vnd.example.sbom+json"),
        ("application%2fvnd.oci.image.config.v1%2bjson", "application/vnd.oci.image.config.v1+json"),
        ("application/vnd.example", "application/vnd.example"), ("", ""),
    ])
    func `one type alone is listed where it is asked for`(parameter: String, type: String) async throws {
        let (_, digest) = try content(10)
        let referrers = try Self.referrers(to: digest)
        try await withServer { server in
            for referrer in referrers { try await server.push(referrer) }
            let path = "/v2/app/referrers/\(digest)?artifactType=\(parameter)"
            let answer = try await server.ask("GET", path)
            #expect(answer.headers("OCI-Filters-Applied") == ["artifactType"])
            let listed = try answer.json(as: ReferrerList.self).manifests
            #expect(listed == Self.listed(referrers).filter { $0.artifactType == type })
            // None of the table but these two has nothing to find.
            #expect(listed.isEmpty == ["application/vnd.example", ""].contains(type))
        }
    }

    @Test func `what was deleted is not listed, and may come back`() async throws {
        let (_, digest) = try content(10)
        let referrers = try Self.referrers(to: digest)
        try await withServer { server in
            for referrer in referrers { try await server.push(referrer) }
            #expect(try await server.referrers(of: digest).count == referrers.count)
            let path = "/v2/app/manifests/\(referrers[1].document.digest)"
            #expect(try await server.ask("DELETE", path).status == 202)
            let rest = referrers.enumerated().filter { $0.offset != 1 }.map(\.element)
            #expect(try await server.referrers(of: digest) == Self.listed(rest))
            try await server.push(referrers[1])
            #expect(try await server.referrers(of: digest) == Self.listed(referrers))
        }
    }

    /// Nothing of it is stored but the manifests: it is found out again.
    @Test func `the list is the same after a restart`() async throws {
        let (_, digest) = try content(10)
        let referrers = try Self.referrers(to: digest)
        let scratch = try ScratchDirectory()
        try await withServer(on: scratch.path) { server in
            for referrer in referrers { try await server.push(referrer) }
        }
        let more = try TestReferrer(to: digest, artifactType: "a/more")
        for isReadOnly in [false, true] {
            try await withServer(on: scratch.path, isReadOnly: isReadOnly) { server in
                // Put before the list was first asked for, it is found with the others.
                if !isReadOnly { try await server.push(more) }
                let listed = try await server.referrers(of: digest)
                #expect(listed == Self.listed(referrers + [more]))
            }
        }
    }
}
