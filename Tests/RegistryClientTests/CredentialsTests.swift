import Testing

@testable import RegistryClient

/// Credentials themselves, and the files in which a user hands them over.
@Suite struct CredentialsTests {
    /// A file, and what it says: the form and its parts.
    @Test(
        arguments: [
            ("BEARER_TOKEN=abc", .registryToken("abc")), ("BEARER_TOKEN=a=b==\n", .registryToken("a=b==")),
            ("USERNAME=me\nPASSWORD=secret", .password(username: "me", password: "secret")),
            ("PASSWORD=s=e c\"r\nUSERNAME= me \r\n", .password(username: " me ", password: "s=e c\"r")),
        ] as [(String, Credentials.Kind)]
    )
    func `a file of credentials is read as it stands`(text: String, expected: Credentials.Kind) throws {
        let credentials = try Credentials.parse(lines: Array(text.utf8), path: "creds")
        #expect(credentials.kind == expected)
        #expect(credentials.source == "creds")
    }

    @Test(arguments: [
        "", "\n", "BEARER_TOKEN=", "BEARER_TOKEN=a\nBEARER_TOKEN=a", "BEARER_TOKEN=two words", "USERNAME=me",
        "USERNAME=me\nPASSWORD=", "USERNAME=me\nPASSWORD=s3cret\nBEARER_TOKEN=x", "USERNAME=me\n\nPASSWORD=s3cret",
        "# comment\nBEARER_TOKEN=s3cret", "username=me\npassword=s3cret", "USERNAME=me\nPASSWORD s3cret",
        " BEARER_TOKEN=s3cret", "BEARER_TOKEN=s3cret\n\n",
    ])
    func `anything else is an error that tells nothing of it`(text: String) throws {
        let error = try #require(throws: CredentialsError.self) {
            try Credentials.parse(lines: Array(text.utf8), path: "/home/me/creds")
        }
        #expect(error.description.hasPrefix("reading the credentials in /home/me/creds: it "))
        #expect(!error.description.contains("s3cret"))
    }

    @Test func `what is no text is an error`() {
        #expect(throws: CredentialsError.self) { try Credentials.parse(lines: [0xff, 0x3d, 0x41], path: "x") }
    }

    @Test func `credentials never print themselves`() throws {
        let all = [
            Credentials(username: "alice", password: "hunter2"),
            Credentials(.identityToken("hunter2"), source: "alice"),
            try Credentials(token: "hunter2", source: "alice"),
        ]
        for credentials in all {
            var dumped = ""
            dump(credentials, to: &dumped)
            dump([credentials], to: &dumped)
            let texts = [
                "\(credentials)", String(reflecting: credentials), "\([credentials])", "\(["k": credentials])", dumped,
            ]
            for text in texts { #expect(!text.contains("hunter2") && !text.contains("alice"), "\(text)") }
        }
        #expect(all.map(\.basicAuthorization) == ["Basic YWxpY2U6aHVudGVyMg==", nil, nil])
        #expect(all.map(\.bearerAuthorization) == [nil, nil, "Bearer hunter2"])
    }
}
