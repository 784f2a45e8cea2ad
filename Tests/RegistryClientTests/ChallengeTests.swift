import RegistryClient
import Testing

@Suite struct ChallengeTests {
    /// A header value with the challenges that are in it, each as its scheme and parameters.
    private static let table: [(String, [(String, [String: String])])] = [
        // What docker's registries send.
        (
            #"Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push""#,
            [
                (
                    "bearer",
                    ["realm": "https://auth.example/token", "service": "r", "scope": "repository:a/b:pull,push"]
                )
            ]
        ),
        (#"Basic realm="Registry Realm""#, [("basic", ["realm": "Registry Realm"])]),
        // Neither schemes nor names of parameters have a case; the order is free, and so are the blanks.
        ("bEARER Service=\"r\" ,\tREALM = \"x\"", [("bearer", ["realm": "x", "service": "r"])]),
        // A value need not be quoted, though what is a URL should be.
        (
            "Bearer realm=https://auth.example/token,service=r",
            [
                ("bearer", ["realm": "https://auth.example/token", "service": "r"])
            ]
        ),
        // A comma separates challenges as well as parameters.
        (
            #"Basic realm="x", Bearer realm="y",service="r", Digest"#,
            [
                ("basic", ["realm": "x"]), ("bearer", ["realm": "y", "service": "r"]), ("digest", [:]),
            ]
        ),
        ("Negotiate, Basic realm=x", [("negotiate", [:]), ("basic", ["realm": "x"])]),
        // What stands in place of parameters is passed over, with its padding.
        (#"Negotiate YIIB/+aA==, Bearer realm="y""#, [("negotiate", [:]), ("bearer", ["realm": "y"])]),
        (#"NTLM TlRM=, Basic realm="x""#, [("ntlm", [:]), ("basic", ["realm": "x"])]),
        ("Negotiate YIIB", [("negotiate", [:])]),
        // A challenge may lack the parameter that matters; who answers it says so.
        ("Bearer", [("bearer", [:])]),
        (#"Bearer service="r""#, [("bearer", ["service": "r"])]),
        // Quoted strings hold commas, equals signs and, escaped, quotes and backslashes.
        (#"Basic realm="a, b=\"c\" \\d""#, [("basic", ["realm": #"a, b="c" \d"#])]),
        (#"Basic realm="""#, [("basic", ["realm": ""])]),
        // The first of two parameters of a name counts.
        (#"Bearer realm="a",realm="b""#, [("bearer", ["realm": "a"])]),
        // Empty elements of the list mean nothing.
        (#",, Basic realm="x",,"#, [("basic", ["realm": "x"])]),
        // A string without its end goes to the end.
        (#"Basic realm="x, Bearer realm="#, [("basic", ["realm": "x, Bearer realm="])]),
        (#"Basic realm="x\"#, [("basic", ["realm": #"x\"#])]),
        // Nothing, and what is no challenge at all.
        ("", []),
        ("   ", []),
        ("=", []),
        (#""Bearer""#, []),
        ("\u{1}\u{7f}", []),
    ]

    @Test(arguments: table)
    func `a header is read as its challenges`(header: String, expected: [(String, [String: String])]) {
        let challenges = Challenge.parse(header)
        #expect(challenges.map(\.scheme) == expected.map(\.0))
        #expect(challenges.map(\.parameters) == expected.map(\.1))
    }

    @Test func `a header of a megabyte is read, and its realm found`() {
        let scope = String(repeating: "repository:a:pull ", count: 60_000)
        let challenges = Challenge.parse("Bearer scope=\"\(scope)\",realm=\"y\"")
        #expect(challenges.map(\.parameters) == [["scope": scope, "realm": "y"]])
        #expect(Challenge.parse(String(repeating: "a,", count: 200_000)).count == 200_000)
        #expect(Challenge.parse(String(repeating: "=\"", count: 200_000)).isEmpty)
    }
}
