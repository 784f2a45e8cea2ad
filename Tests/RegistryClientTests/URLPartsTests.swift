import Testing

@testable import RegistryClient

@Suite struct URLPartsTests {
    @Test(arguments: [
        // The port of the scheme is the port that is not written.
        ("https://r.example/v2/", URLParts.Origin(scheme: "https", host: "r.example", port: 443)),
        ("http://r.example", URLParts.Origin(scheme: "http", host: "r.example", port: 80)),
        ("https://r.example:5000/x?y", URLParts.Origin(scheme: "https", host: "r.example", port: 5000)),
        ("https://r.example:443/", URLParts.Origin(scheme: "https", host: "r.example", port: 443)),
        // Neither scheme nor host has a case, and the user is no part of it.
        ("HTTPS://R.Example/", URLParts.Origin(scheme: "https", host: "r.example", port: 443)),
        ("https://me:secret@r.example/", URLParts.Origin(scheme: "https", host: "r.example", port: 443)),
        // What looks like a host before the @ is none, and what comes after the path's slash neither.
        ("https://good.example@evil.example/", URLParts.Origin(scheme: "https", host: "evil.example", port: 443)),
        ("https://good.example/@evil.example", URLParts.Origin(scheme: "https", host: "good.example", port: 443)),
        ("https://good.example?@evil.example", URLParts.Origin(scheme: "https", host: "good.example", port: 443)),
        // Other schemes, and what is no URL of a host, have none.
        ("ftp://r.example/", nil),
        ("file:///etc/passwd", nil),
        ("https:///v2/", nil),
        // No host that DNS or TLS knows, in whatever way it is written: a Kelvin sign is no k.
        ("https://r.example\u{0}/", nil),
        ("https://r%00.example/", nil),
        ("https://a%2Fb/", nil),
        ("https://r.example[/", nil),
        ("https://b\u{fc}cher.example/", nil),
        ("https://\u{212a}elvin.example/", nil),
        ("https://%E2%84%AAelvin.example/", nil),
        ("/v2/", nil),
        ("r.example", nil),
        ("", nil),
    ])
    func `an origin is scheme, host and port`(url: String, expected: URLParts.Origin?) {
        #expect(URLParts.origin(of: url) == expected)
    }

    @Test func `an IPv6 address keeps its port apart`() throws {
        let origin = try #require(URLParts.origin(of: "http://[::1]:5000/v2/"))
        #expect(origin.port == 5000)
        #expect(origin.host.contains("::1"))
        #expect(URLParts.origin(of: "http://[::1]:5001/") != origin)
        #expect(URLParts.origin(of: "http://[::2]:5000/") != origin)
    }

    @Test(arguments: [
        // Absolute: taken as it is, its query to the last byte.
        ("https://u.example/a?_state=a%2Fb%3D&x=+", "https://u.example/a?_state=a%2Fb%3D&x=+"),
        ("http://u.example:1/", "http://u.example:1/"),
        // From the root: the origin is that of the base, with its port.
        ("/v2/x?_state=a%2Fb%3D==", "https://r.example:5000/v2/x?_state=a%2Fb%3D=="),
        ("/x?next=http://evil.example/", "https://r.example:5000/x?next=http://evil.example/"),
        // Without the scheme: another host.
        ("//u.example/a", "https://u.example/a"),
        // Relative to the path of the base.
        ("d?y=2", "https://r.example:5000/a/b/d?y=2"),
        ("../d", "https://r.example:5000/a/d"),
        ("?y=2", "https://r.example:5000/a/b/c?y=2"),
        // No URL for us.
        ("ftp://u.example/a", nil),
        ("javascript:x", nil),
    ])
    func `a location is resolved against its request`(location: String, expected: String?) {
        #expect(URLParts.resolve(location, against: "https://r.example:5000/a/b/c?x=1") == expected)
    }

    @Test func `a location is resolved against an IPv6 address`() {
        #expect(URLParts.resolve("/x", against: "http://[::1]:5000/a") == "http://[::1]:5000/x")
    }

    @Test(arguments: [
        // The first parameter begins the query, a further one goes on with it.
        ("https://r/a", "https://r/a?digest=sha256:0"),
        ("https://r/a?_state=a%2Fb%3D", "https://r/a?_state=a%2Fb%3D&digest=sha256:0"),
        ("https://r/a?\u{301}", "https://r/a?\u{301}&digest=sha256:0"),
    ])
    func `a parameter is added to a URL`(url: String, expected: String) {
        #expect(URLParts.appending("digest", "sha256:0", to: url) == expected)
    }

    @Test func `what would end a parameter is encoded`() {
        #expect(URLParts.appending("s", "a b&c=d#e+é\r\n", to: "u") == "u?s=a%20b%26c%3Dd%23e%2B%C3%A9%0D%0A")
    }

    @Test(arguments: [
        // What a URL may hold stays as it is, escapes among it.
        ("https://r/a?_state=a%2Fb%3D&x=+:/@!$'()*,;~#f", "https://r/a?_state=a%2Fb%3D&x=+:/@!$'()*,;~#f"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        // What it may not is escaped, and nothing else.
        ("https://r/a b?x=[1]|%2F", "https://r/a%20b?x=%5B1%5D%7C%2F"),
        ("https://r/é\"", "https://r/%C3%A9%22"),
        ("https://r/100%?x=%zz%4", "https://r/100%25?x=%25zz%254"),
        ("https://r/a\\b", "https://r/a%5Cb"),
        // Brackets after the host, though an accent hides its end.
        ("https://r/\u{301}[x]", "https://r/%CC%81%5Bx%5D"),
    ])
    func `a URL is made legal without touching what is`(url: String, expected: String) {
        #expect(URLParts.legal(url) == expected)
        #expect(URLParts.legal(expected) == expected)
    }

    @Test(arguments: [
        ("https://r.example/a", "https://r.example/a"),
        // Signatures are in queries; passwords before the host, though they hold an @ themselves.
        ("https://r.example/a?X-Amz-Signature=secret", "https://r.example/a"),
        ("https://r.example?secret", "https://r.example"),
        ("https://r.example/a#secret", "https://r.example/a"),
        ("https://me:secret@r.example/a", "https://r.example/a"),
        ("https://me:sec@ret@r.example:5000/a", "https://r.example:5000/a"),
        ("https://me@[::1]:5000/a", "https://[::1]:5000/a"),
        // An @ in the path hides nothing.
        ("https://r.example/a@sha256:0", "https://r.example/a@sha256:0"),
        ("/a?secret", "/a"),
        // An accent that follows what separates the parts does not hide it.
        ("https://r.example/a?\u{301}secret", "https://r.example/a"),
        ("https://r.example/a#\u{301}secret", "https://r.example/a"),
        ("https://me:secret@\u{301}r.example/a", "https://\u{301}r.example/a"),
        ("https://\u{301}me:secret@r.example/a", "https://r.example/a"),
        ("https://r.example/\u{301}a@b", "https://r.example/\u{301}a@b"),
    ])
    func `what is printed of a URL holds no secret`(url: String, expected: String) {
        #expect(URLParts.redacted(url) == expected)
    }
}
