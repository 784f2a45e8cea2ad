import OCI
import Testing

/// 64 hexadecimal digits.
let f64 = String(repeating: "f", count: 64)
/// 128 hexadecimal digits.
let f128 = String(repeating: "f", count: 128)

/// A reference with what it is to be taken apart into.
struct SyntaxVector: Sendable, CustomTestStringConvertible {
    let text: String
    let domain: String?
    let path: String
    let tag: String?
    let digest: String?

    init(_ text: String, _ domain: String? = nil, _ path: String, tag: String? = nil, digest: String? = nil) {
        self.text = text
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    var testDescription: String { text }
}

/// A text that is no reference, with the rule that it breaks and where.
struct InvalidVector: Sendable, CustomTestStringConvertible {
    let text: String
    let code: ReferenceError.Code
    let offset: Int

    init(_ text: String, _ code: ReferenceError.Code, at offset: Int) {
        self.text = text
        self.code = code
        self.offset = offset
    }

    var testDescription: String { text.debugDescription }
}

@Suite struct ReferenceSyntaxTests {
    static let hosts = [
        SyntaxVector("test_com", nil, "test_com"),
        SyntaxVector("test.com:tag", nil, "test.com", tag: "tag"),
        SyntaxVector("test.com:5000", nil, "test.com", tag: "5000"),
        SyntaxVector("test.com/repo:tag", "test.com", "repo", tag: "tag"),
        SyntaxVector("test:5000/repo", "test:5000", "repo"),
        SyntaxVector("test:5000/repo@sha256:\(f64)", "test:5000", "repo", digest: "sha256:\(f64)"),
        SyntaxVector("test:5000/repo:tag@sha256:\(f64)", "test:5000", "repo", tag: "tag", digest: "sha256:\(f64)"),
        SyntaxVector("foo_bar.com:8080", nil, "foo_bar.com", tag: "8080"),
        SyntaxVector("foo/foo_bar.com:8080", "foo", "foo_bar.com", tag: "8080"),
        SyntaxVector("192.168.1.1", nil, "192.168.1.1"),
        SyntaxVector("192.168.1.1:5000", nil, "192.168.1.1", tag: "5000"),
        SyntaxVector("192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", tag: "5050"),
        SyntaxVector("localhost", nil, "localhost"),
        SyntaxVector("localhost/app", "localhost", "app"),
        SyntaxVector("localhost:8080@sha256:\(f64)", nil, "localhost", tag: "8080", digest: "sha256:\(f64)"),
        SyntaxVector("host:99999999/app", "host:99999999", "app"),
        // The grammar alone does not know what is a host to a person.
        SyntaxVector("library/debian:jessie", "library", "debian", tag: "jessie"),
        SyntaxVector("docker.io/library/redis:latest", "docker.io", "library/redis", tag: "latest"),
        SyntaxVector("docker.io/redis", "docker.io", "redis"),
        SyntaxVector("a_b/c", nil, "a_b/c"),
        SyntaxVector("a-b/c", "a-b", "c"),
        SyntaxVector("a.b/c", "a.b", "c"),
        // Hosts may have upper case, paths may not.
        SyntaxVector("Uppercase/lowercase:tag", "Uppercase", "lowercase", tag: "tag"),
        SyntaxVector("A/a", "A", "a"),
        // The older grammar had no IPv6 addresses; distribution's of today has.
        SyntaxVector("[2001:db8::1]:5000/repo", "[2001:db8::1]:5000", "repo"),
        SyntaxVector("[2001:db8::1]/repo", "[2001:db8::1]", "repo"),
        SyntaxVector("[::1]:5000/a/b:t@sha256:\(f64)", "[::1]:5000", "a/b", tag: "t", digest: "sha256:\(f64)"),
        SyntaxVector("[2001:DB8::A]/repo", "[2001:DB8::A]", "repo"),
    ]

    static let names = [
        SyntaxVector("lowercase:Uppercase", nil, "lowercase", tag: "Uppercase"),
        SyntaxVector(
            "sub-dom1.foo.com/bar/baz/quux:some-long-tag",
            "sub-dom1.foo.com",
            "bar/baz/quux",
            tag: "some-long-tag"
        ),
        SyntaxVector(
            "b.gcr.io/test.example.com/my-app:test.example.com",
            "b.gcr.io",
            "test.example.com/my-app",
            tag: "test.example.com"
        ),
        SyntaxVector("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", tag: "xn--n3h.com"),
        SyntaxVector(
            "xn--7o8h.com/myimage:xn--7o8h.com@sha512:\(f128)",
            "xn--7o8h.com",
            "myimage",
            tag: "xn--7o8h.com",
            digest: "sha512:\(f128)"
        ),
        SyntaxVector("foo__bar", nil, "foo__bar"),
        SyntaxVector("foo.bar", nil, "foo.bar"),
        SyntaxVector("foo_bar", nil, "foo_bar"),
        SyntaxVector("foo----bar", nil, "foo----bar"),
        SyntaxVector(
            "registry.io/foo/project--id.module--name.ver---sion--name",
            "registry.io",
            "foo/project--id.module--name.ver---sion--name"
        ),
        SyntaxVector("ab:_tag", nil, "ab", tag: "_tag"),
        SyntaxVector("ab:" + String(repeating: "a", count: 128), nil, "ab", tag: String(repeating: "a", count: 128)),
        // 255 characters of host, slash and path; the tag does not count.
        SyntaxVector(
            String(repeating: "a/", count: 127) + "a:tag-puts-this-over-max",
            "a",
            String(repeating: "a/", count: 126) + "a",
            tag: "tag-puts-this-over-max"
        ),
        SyntaxVector("repo@sha512:\(f128)", nil, "repo", digest: "sha512:\(f128)"),
        // Not a digest: the name `sha256` with a long tag; and a name that only looks like an id.
        SyntaxVector("sha256:\(f64)", nil, "sha256", tag: f64),
        SyntaxVector(f64, nil, f64),
    ]

    @Test(arguments: hosts + names)
    func `a valid reference is taken apart and gives its text back`(vector: SyntaxVector) throws {
        let syntax = try ReferenceSyntax(parsing: vector.text)
        #expect(syntax.domain == vector.domain)
        #expect(syntax.path == vector.path)
        #expect(syntax.tag?.description == vector.tag)
        #expect(syntax.digest?.description == vector.digest)
        #expect(syntax.description == vector.text)
    }

    static let invalidForms = [
        InvalidVector("", .nameEmpty, at: 0),
        InvalidVector(":justtag", .invalidFormat, at: 0),
        InvalidVector("@sha256:\(f64)", .invalidFormat, at: 0),
        InvalidVector("aa/asdf$$^/aa", .invalidFormat, at: 7),
        InvalidVector("https://github.com/docker/docker", .invalidFormat, at: 5),
        InvalidVector("docker///docker", .invalidFormat, at: 7),
        InvalidVector("nginx/", .invalidFormat, at: 6),
        InvalidVector("/nginx", .invalidFormat, at: 0),
        InvalidVector("-foo/bar", .invalidFormat, at: 0),
        InvalidVector("foo/bar-", .invalidFormat, at: 8),
        InvalidVector("foo-/bar", .invalidFormat, at: 4),
        InvalidVector("foo/-bar", .invalidFormat, at: 4),
        InvalidVector("_foo/bar", .invalidFormat, at: 0),
        InvalidVector("foo..bar", .invalidFormat, at: 4),
        InvalidVector("foo___bar", .invalidFormat, at: 5),
        InvalidVector("foo._bar", .invalidFormat, at: 4),
        InvalidVector("foo-.bar", .invalidFormat, at: 4),
        InvalidVector("ab-.com/c", .invalidFormat, at: 3),
        // A host must not have an underscore, and a port must have a digit.
        InvalidVector("foo_bar.com:8080/app", .invalidFormat, at: 11),
        InvalidVector("host:/app", .invalidFormat, at: 4),
        InvalidVector(" nginx:latest", .invalidFormat, at: 0),
        // An IPv6 address has brackets that close, digits in it, no zone, and a path after it.
        InvalidVector("[2001:db8::1", .invalidFormat, at: 0),
        InvalidVector("[]/repo", .invalidFormat, at: 0),
        InvalidVector("[fe80::1%eth0]/repo", .invalidFormat, at: 0),
        InvalidVector("[::1]5000/repo", .invalidFormat, at: 0),
    ]

    /// The older parser says "invalid format" to wrong tags as well; ours says more exactly what is wrong.
    static let invalidTags = [
        InvalidVector("ab:", .invalidTag, at: 3),
        InvalidVector("ab:.tag", .invalidTag, at: 3),
        InvalidVector("ab:-tag", .invalidTag, at: 3),
        InvalidVector("ab:" + String(repeating: "a", count: 129), .invalidTag, at: 131),
        InvalidVector("repo:tag:tag", .invalidTag, at: 8),
        InvalidVector("nginx:latest ", .invalidTag, at: 12),
        InvalidVector("nginx:latest\n", .invalidTag, at: 12),
        InvalidVector("nginx:läuft", .invalidTag, at: 7),
    ]

    static let invalidDigests = [
        InvalidVector("ab@", .invalidFormat, at: 3),
        InvalidVector("ab:tag@", .invalidFormat, at: 7),
        InvalidVector("repo@sha256:\(f64):tag", .invalidFormat, at: 76),
        InvalidVector("repo@sha256:" + String(repeating: "f", count: 31), .invalidFormat, at: 43),
        InvalidVector("repo@sha256:" + String(repeating: "f", count: 34), .invalidDigestLength, at: 12),
        InvalidVector("validname@invaliddigest:\(f64)", .unsupportedDigestAlgorithm, at: 10),
        InvalidVector("repo@sha256+b64:\(f64)", .unsupportedDigestAlgorithm, at: 5),
        // Registered once, and no more; the older parser takes it.
        InvalidVector("repo@sha384:" + String(repeating: "f", count: 96), .unsupportedDigestAlgorithm, at: 5),
        InvalidVector("repo@SHA256:\(f64)", .invalidDigestFormat, at: 5),
        InvalidVector("repo@sha256:\(f64.uppercased())", .invalidDigestFormat, at: 12),
    ]

    static let invalidNames = [
        InvalidVector("Uppercase:tag", .nameContainsUppercase, at: 0),
        InvalidVector("A", .nameContainsUppercase, at: 0),
        InvalidVector("docker/Docker", .nameContainsUppercase, at: 7),
        InvalidVector("test:5000/Uppercase/lowercase:tag", .nameContainsUppercase, at: 10),
        InvalidVector("docker.io/docker/Docker", .nameContainsUppercase, at: 17),
        InvalidVector(String(repeating: "a/", count: 128) + "a:tag", .nameTooLong, at: 0),
    ]

    @Test(arguments: invalidForms + invalidTags + invalidDigests + invalidNames)
    func `an invalid reference is refused with the rule and the place`(vector: InvalidVector) {
        let error = #expect(throws: ReferenceError.self) { try ReferenceSyntax(parsing: vector.text) }
        #expect(error?.code == vector.code)
        #expect(error?.offset == vector.offset)
        #expect(error?.text == vector.text)
    }
}
