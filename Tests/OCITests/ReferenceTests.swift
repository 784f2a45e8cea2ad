import OCI
import Testing

@Suite struct ReferenceTests {
    private static let id = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a"

    @Test(arguments: [
        ("redis", "docker.io/library/redis"),
        ("redis:7", "docker.io/library/redis:7"),
        ("dmcgowan/myapp", "docker.io/dmcgowan/myapp"),
        ("library/debian:jessie", "docker.io/library/debian:jessie"),
        ("docker.io/foo", "docker.io/library/foo"),
        ("docker.io/library/foo", "docker.io/library/foo"),
        ("index.docker.io/foo", "docker.io/library/foo"),
        ("index.docker.io/fooo/bar", "docker.io/fooo/bar"),
        // What is no host by its looks belongs to Docker Hub.
        ("test_com/foo", "docker.io/test_com/foo"),
        ("a-b/c", "docker.io/a-b/c"),
        ("localhost", "docker.io/library/localhost"),
        // What is one stays, and gets no `library`.
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("127.0.0.1:8000/privatebase", "127.0.0.1:8000/privatebase"),
        ("test.com/repo:tag", "test.com/repo:tag"),
        ("registry:5000/redis", "registry:5000/redis"),
        ("Foo/bar", "Foo/bar"),
        ("[::1]/bar", "[::1]/bar"),
        ("[2001:db8::1]:5000/repo:1", "[2001:db8::1]:5000/repo:1"),
        // Both tag and digest are kept.
        ("busybox:latest@sha256:\(f64)", "docker.io/library/busybox:latest@sha256:\(f64)"),
        ("busybox@sha512:\(f128)", "docker.io/library/busybox@sha512:\(f128)"),
        // An id is none where a registry stands before it.
        ("docker.io/\(id)", "docker.io/library/\(id)"),
    ])
    func `a reference is completed as people mean it, and only once`(text: String, canonical: String) throws {
        let reference = try Reference(parsing: text)
        #expect(reference.description == canonical)
        #expect(try Reference(parsing: canonical) == reference)
    }

    @Test(arguments: [
        InvalidVector("", .nameEmpty, at: 0),
        InvalidVector(id, .nameIsIdentifier, at: 0),
        InvalidVector("Redis", .nameContainsUppercase, at: 0),
        InvalidVector("example.com/Redis", .nameContainsUppercase, at: 12),
        // Here a first component that looks like a host must be one.
        InvalidVector("foo_bar.com:8080/app", .invalidFormat, at: 3),
        InvalidVector("https://example.com/app", .invalidFormat, at: 6),
        InvalidVector("host:80a/app", .invalidFormat, at: 7),
        InvalidVector("[::1/app", .invalidFormat, at: 4),
        InvalidVector("[]:5000/app", .invalidFormat, at: 1),
        InvalidVector("[fe80::1%eth0]/app", .invalidFormat, at: 8),
        InvalidVector("-a.example/app", .invalidFormat, at: 0),
        InvalidVector("a-.example/app", .invalidFormat, at: 1),
        InvalidVector("example..com/app", .invalidFormat, at: 8),
        InvalidVector("example.com/", .invalidFormat, at: 12),
        InvalidVector("app:la test", .invalidTag, at: 6),
    ])
    func `what is no reference is refused with the rule and the place`(vector: InvalidVector) {
        let error = #expect(throws: ReferenceError.self) { try Reference(parsing: vector.text) }
        #expect(error?.code == vector.code)
        #expect(error?.offset == vector.offset)
    }

    @Test func `the length limit holds for the completed name`() throws {
        let longest = String(repeating: "a", count: 255 - "docker.io/library/".count)
        #expect(try Reference(parsing: longest).repository.description.count == 255)
        let error = #expect(throws: ReferenceError.self) { try Reference(parsing: longest + "a") }
        #expect(error?.code == .nameTooLong)
    }

    @Test func `the parts of a reference are at hand`() throws {
        let reference = try Reference(parsing: "localhost:5000/a/b:1@sha256:\(f64)")
        #expect(reference.repository.registry == "localhost:5000")
        #expect(reference.repository.path == "a/b")
        #expect(reference.tag?.description == "1")
        #expect(reference.digest?.hex == f64)
    }

    @Test func `only a reference without tag and digest means latest`() throws {
        #expect(try Reference(parsing: "redis").withDefaultTag.description == "docker.io/library/redis:latest")
        #expect(try Reference(parsing: "redis:7").withDefaultTag.description == "docker.io/library/redis:7")
        let pinned = try Reference(parsing: "redis@sha256:\(f64)")
        #expect(pinned.withDefaultTag == pinned)
    }

    @Test func `an image is named by its tag in a bundle, and by its digest where it has none`() throws {
        #expect(try Reference(parsing: "redis:7@sha256:\(f64)").bundleName == "docker.io/library/redis:7")
        #expect(try Reference(parsing: "redis@sha256:\(f64)").bundleName == "docker.io/library/redis@sha256:\(f64)")
    }

    @Test func `a repository is a host and a path`() throws {
        #expect(try Repository(registry: "registry:5000", path: "a/b").description == "registry:5000/a/b")
        let vectors: [(String, String, ReferenceError.Code, Int)] = [
            ("registry:5000", "a//b", .invalidFormat, 16),
            ("registry:5000", "A", .nameContainsUppercase, 14),
            ("registry:", "a", .invalidFormat, 9),
            ("", "a", .invalidFormat, 0),
            ("h", String(repeating: "a", count: 254), .nameTooLong, 0),
        ]
        for (registry, path, code, offset) in vectors {
            let error = #expect(throws: ReferenceError.self) { try Repository(registry: registry, path: path) }
            #expect(error?.code == code)
            #expect(error?.offset == offset)
        }
    }

    @Test func `an error shows the text, the rule and the place, without control characters`() {
        func message(_ text: String) -> String? {
            #expect(throws: ReferenceError.self) { try Reference(parsing: text) }?.description
        }
        #expect(message("") == "a reference must not be empty")
        #expect(
            message("docker.io/App")
                == #""docker.io/App" is not a valid reference: a repository name must be lower case, at character 11 ("A")"#
        )
        #expect(
            message("app/") == #""app/" is not a valid reference: it has the wrong form, at its end"#
        )
        #expect((message("app" + String(repeating: "\u{301}", count: 100_000))?.utf8.count ?? 0) < 1000)
        #expect(
            message("app\u{1b}[31m")
                == #""app\u{1B}[31m" is not a valid reference: it has the wrong form, at character 4 ("\u{1B}")"#
        )
    }
}
