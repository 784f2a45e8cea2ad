import RegistryClient
import TestSupport
import Testing

@testable import Drayage

/// What `registries.conf` and `--mirror` say of where a reference is asked for.
@Suite struct RegistriesConfTests {
    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    private static func places(
        _ text: String,
        _ reference: String,
        mirrors: [String] = []
    ) throws -> [String] {
        let rules = MirrorRules(
            named: try mirrors.map { try RegistryMirror(parsing: $0) },
            rules: try RegistriesConf.content(of: Array(text.utf8), path: "r.conf").rules
        )
        return try rules.origin(of: try Reference(parsing: reference)).places.map {
            "\($0.repository)\($0.isInsecure ? " insecure" : "")\($0.isMirror ? "" : ".")"
        }
    }

    /// A row: what the file says, a reference, and its places; the source has a point behind it.
    struct Row: Sendable, CustomStringConvertible {
        let rule: String
        let text: String
        let reference: String
        let places: [String]

        var description: String { rule }

        init(_ rule: String, _ text: String, _ reference: String, _ places: [String]) {
            (self.rule, self.text, self.reference, self.places) = (rule, text, reference, places)
        }
    }

    private static let hub = """
        [[registry]]
        location = "docker.io"
        [[registry.mirror]]
        location = "mirror.site:5000/hub"
        [[registry.mirror]]
        location = "[fd00::1]:5000"
        insecure = true
        """
    private static let levels = """
        [[registry]]
        prefix = "a.io"
        location = "one.io"
        [[registry]]
        prefix = "a.io/team"
        location = "two.io/x"
        [[registry]]
        prefix = "a.io/team/app"
        location = "three.io/y/z"
        """
    private static let domains = """
        [[registry]]
        prefix = "*.example.com"
        [[registry.mirror]]
        location = "wide.io"
        [[registry]]
        prefix = "*.b.example.com"
        location = "near.io/b"
        [[registry]]
        prefix = "c.b.example.com"
        location = "exact.io"
        """
    private static let uses = """
        [[registry]]
        location = "a.io"
        [[registry.mirror]]
        location = "all.io"
        pull-from-mirror = "all"
        [[registry.mirror]]
        location = "digests.io"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "tags.io"
        pull-from-mirror = "tag-only"
        """
    private static let images = """
        [[registry]]
        prefix = "a.io"
        location = "c.io"
        [[registry]]
        prefix = "a.io/app:1"
        location = "b.io/x:1"
        [[registry.mirror]]
        location = "m.io/one:1"
        [[registry]]
        prefix = "a.io/app@\(digest)"
        location = "d.io/app@\(digest)"
        """
    private static let digestOnly = """
        [[registry]]
        location = "a.io"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "m.io"
        """

    static let rows: [Row] = [
        Row("no file says anything", "", "a.io/app:1", ["a.io/app."]),
        Row("other registries are let alone", hub, "quay.io/app:1", ["quay.io/app."]),
        Row(
            "mirrors in their order, the source last",
            hub,
            "alpine:3.20",
            [
                "mirror.site:5000/hub/library/alpine", "[fd00::1]:5000/library/alpine insecure",
                "docker.io/library/alpine.",
            ]
        ),
        Row("a host is more than its beginning", hub, "docker.io:443/library/a:1", ["docker.io:443/library/a."]),
        Row("of a registry", levels, "a.io/app:1", ["one.io/app."]),
        Row("of a namespace", levels, "a.io/team/other:1", ["two.io/x/other."]),
        Row("of a repository", levels, "a.io/team/app:1", ["three.io/y/z."]),
        Row("and what is beneath it", levels, "a.io/team/app/sub:1", ["three.io/y/z/sub."]),
        Row("a namespace ends at a slash", levels, "a.io/teams/app:1", ["one.io/teams/app."]),
        Row("a digest changes nothing there", levels, "a.io/team/app@\(digest)", ["three.io/y/z."]),
        Row("sub-domains", domains, "x.y.example.com/app:1", ["wide.io/app", "x.y.example.com/app."]),
        Row(
            "sub-domains with a port",
            domains,
            "x.example.com:5000/app:1",
            ["wide.io/app", "x.example.com:5000/app."]
        ),
        Row("the domain itself is none", domains, "example.com/app:1", ["example.com/app."]),
        Row("nor is what only looks so", domains, "xexample.com/app:1", ["xexample.com/app."]),
        Row("the longer domain", domains, "x.b.example.com/app:1", ["near.io/b/app."]),
        Row("a host before a domain", domains, "c.b.example.com/app:1", ["exact.io/app."]),
        Row("for a tag", uses, "a.io/app:1", ["all.io/app", "tags.io/app", "a.io/app."]),
        Row("for a digest", uses, "a.io/app@\(digest)", ["all.io/app", "digests.io/app", "a.io/app."]),
        Row("for both", uses, "a.io/app:1@\(digest)", ["all.io/app", "digests.io/app", "a.io/app."]),
        Row("for digests alone, a tag", digestOnly, "a.io/app:1", ["a.io/app."]),
        Row("for digests alone, a digest", digestOnly, "a.io/app@\(digest)", ["m.io/app", "a.io/app."]),
        Row("an image by its tag", images, "a.io/app:1", ["m.io/one", "b.io/x."]),
        Row("and with a digest besides", images, "a.io/app:1@\(digest)", ["m.io/one", "b.io/x."]),
        Row("another tag", images, "a.io/app:12", ["c.io/app."]),
        Row("no tag", images, "a.io/app", ["c.io/app."]),
        Row("an image by its digest", images, "a.io/app@\(digest)", ["d.io/app."]),
        Row("an image beneath", images, "a.io/app/sub:1", ["c.io/app/sub."]),
        Row(
            "an insecure source",
            "[[registry]]\nlocation = \"a.io/\"\ninsecure = true",
            "a.io/app:1",
            ["a.io/app insecure."]
        ),
        Row(
            "what is unknown is passed over",
            "# [[\nn = [[1, 2], ['}[', \"\"\"\"x\\\"\n[[\"\"\"]]\nt = {a.b = true, 'c' = 20}\nshort-name-mode = \"enforcing\"\nunqualified-search-registries = [\"x.io\"]\n[aliases]\na = \"b.io/a\"\n"
                + "[[registry]]\nlocation = \"a.io\"\nnews = 1\n[[registry.mirror]]\nlocation = \"m.io\"\nnews = []",
            "a.io/app:1",
            ["m.io/app", "a.io/app."]
        ),
        Row(
            "a mirror that is the source is no mirror",
            "[[registry]]\nlocation = \"a.io\"\nmirror = [{location = \"a.io\"}, {location = \"m.io\"}, {location = \"m.io\"}]",
            "a.io/app:1",
            ["m.io/app", "a.io/app."]
        ),
    ]

    @Test(arguments: rows) func `a reference has its places`(row: Row) throws {
        #expect(try Self.places(row.text, row.reference) == row.places)
    }

    @Test func `the command line's mirrors come first, in their order`() throws {
        let mirrors = ["docker.io=a.io", "docker.io/library=b.io:5000/lib/", "quay.io=c.io", "index.docker.io/=d.io"]
        #expect(
            try Self.places(Self.hub, "alpine", mirrors: mirrors) == [
                "a.io/library/alpine", "b.io:5000/lib/alpine", "d.io/library/alpine",
                "mirror.site:5000/hub/library/alpine", "[fd00::1]:5000/library/alpine insecure",
                "docker.io/library/alpine.",
            ]
        )
    }

    @Test(arguments: [
        "", "a.io", "a.io=", "=m.io", "a.io=m.io=n.io", "a.io=https://m.io", "http://a.io=m.io", "a.io=m.io/Upper",
        "a.io=m.io:port", "a b=c",
    ])
    func `what is no mirror is refused`(text: String) {
        let error = #expect(throws: DrayageError.self) { try RegistryMirror(parsing: text) }
        #expect(error?.code == .usage)
        #expect(error?.description.contains(text) == true)
    }

    @Test func `what is blocked is told with its file`() throws {
        let text = "[[registry]]\nlocation = \"a.io/bad\"\nblocked = true\n[[registry.mirror]]\nlocation = \"m.io\""
        let error = #expect(throws: DrayageError.self) {
            try Self.places(text, "a.io/bad/app:1", mirrors: ["a.io=m.io"])
        }
        #expect(error?.description == "a.io/bad/app:1: r.conf blocks what begins with a.io/bad")
        #expect(try Self.places(text, "a.io/badly/app:1") == ["a.io/badly/app."])
    }

    @Test func `a place that can have no such name is told with its file`() throws {
        let text = "[[registry]]\nprefix = \"a.io/app\"\nlocation = \"b.io\""
        let error = #expect(throws: DrayageError.self) { try Self.places(text, "a.io/app:1") }
        #expect(error?.description.hasPrefix("a.io/app:1: r.conf gives it no name in b.io: ") == true)
    }

    /// What a file may not say, and what is told of it.
    @Test(arguments: [
        ("[[registry]]\nlocation = \"a.io\nx", "line 2: "),
        ("a = 1\n\nb = ]", "line 3: "),
        ("a = 1\na = 2", "line 2: "),
        ("[registries.search]\nregistries = [\"docker.io\"]", "the old form"),
        ("[registries.insecure]\nregistries = []\n[[registry]]\nlocation = \"a.io\"", "the old form"),
        ("registry = 1", "registry is no list of tables"),
        ("registry = [1]", "registry is no list of tables"),
        ("[registry]\nlocation = \"a.io\"", "registry is no list of tables"),
        ("[[registry]]", "[[registry]] 1: it has neither a prefix nor a location"),
        ("[[registry]]\nlocation = \"\"", "[[registry]] 1: it has neither a prefix nor a location"),
        ("[[registry]]\nprefix = \"a.io\"", "[[registry]] 1: it has no location"),
        ("[[registry]]\nlocation = 1", "[[registry]] 1: location is no text"),
        ("[[registry]]\nlocation = \"a.io\"\nblocked = \"yes\"", "blocked is neither true nor false"),
        ("[[registry]]\nlocation = \"a.io\"\ninsecure = 1", "insecure is neither true nor false"),
        (
            "[[registry]]\nlocation = \"https://a.io\"",
            "the location \"https://a.io\" cannot be used: it is written without"
        ),
        ("[[registry]]\nlocation = \"a.io/B\"", "the location \"a.io/B\" cannot be used"),
        (
            "[[registry]]\nlocation = \"a.io\"\nprefix = \"b.io/app:1\"",
            "the location \"a.io\" cannot be used: the prefix ends with :1, and it does not"
        ),
        ("[[registry]]\nlocation = \"a.io:1\"\nprefix = \"b.io/app:-1\"", "the prefix \"b.io/app:-1\" cannot be used"),
        ("credential-helpers = \"a\"", "credential-helpers is no list of texts"),
        ("credential-helpers = [\"a\", 1]", "credential-helpers is no list of texts"),
        ("[[registry]]\nprefix = \"*.a.io/b\"", "the prefix \"*.a.io/b\" is not *. and a domain"),
        ("[[registry]]\nprefix = \"*.a.io:5000\"", "the prefix \"*.a.io:5000\" is not *. and a domain"),
        ("[[registry]]\nprefix = \"b.*.io\"\nlocation = \"c.io\"", "the prefix \"b.*.io\" cannot be used"),
        ("[[registry]]\nlocation = \"a.io\"\npull-from-mirror = \"all\"", "pull-from-mirror is for a mirror"),
        ("[[registry]]\nlocation = \"a.io\"\nmirror = 1", "mirror is no list of tables"),
        (
            "[[registry]]\nlocation = \"a.io\"\n[[registry]]\nlocation = \"b.io\"\n[[registry.mirror]]\n[[registry.mirror]]",
            "[[registry]] 2: mirror 1: it has no location"
        ),
        (
            "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"no\"",
            "mirror 1: pull-from-mirror is all, digest-only or tag-only"
        ),
        (
            "[[registry]]\nlocation = \"a.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.io\"\n"
                + "pull-from-mirror = \"all\"", "exclude each other"
        ),
        ("a = 1\0", "line 1: more than one value"),
        ("\n[[", "line 2: a name is missing"),
        ("[[[registry]]]", "line 1: a name is missing"),
        ("[[\nregistry]]", "line 1: a name is missing"),
        ("[[registry]", "line 1: the header has no end"),
        ("[registry]]", "line 1: more than one value"),
        ("a = [\n}", "line 2: a value is missing"),
        ("a = [1,}", "line 1: a value is missing"),
        ("a = [1 2]", "line 1: a list goes on"),
        ("a = {b = 1,}", "line 1: a name is missing"),
        ("a = \"\"\"\n\\\"\n\"\"\"\n[[{", "line 4: a name is missing"),
        ("a = _1", "line 1: a value is missing"),
        ("a = 1 b = 2", "line 1: more than one value"),
        ("a", "line 1: \"=\" is missing"),
        ("a =", "line 1: a value is missing"),
        ("a = \"\\q\"", "line 1: a backslash"),
        ("a = \"\\ud800\"", "line 1: a character is written"),
        ("a = 'b", "line 1: a text has no end"),
        ("a = [1, \u{2028}2]", "line 1: a value is missing"),
        ("a = \u{1}", "line 1: a value is missing"),
        ("# \u{1}", "line 1: a control character"),
        ("[a]\n[a]", "line 2: \"a\" is there twice"),
        ("a = {b = 1}\na.c = 2", "line 2: \"a\" is there twice"),
        ("a = {b = 1}\n[a]", "line 2: \"a\" is there twice"),
        ("a = [{b = 1}]\n[[a]]", "line 2: \"a\" is there twice"),
        ("a.b = 1\n\n[[a.b]]", "line 3: \"b\" is there twice"),
        ("[[a]]\nb = 1\n[a]", "line 3: \"a\" is there twice"),
        ("a.b = 1\n[a]", "line 2: \"a\" is there twice"),
        ("[a.b]\n[a]\nb.c = 1", "line 3: \"b\" is there twice"),
        ("[[a.b]]\n[a]\nb.c = 1", "line 3: \"b\" is there twice"),
    ])
    func `a file that cannot be used is told with its place`(text: String, reason: String) throws {
        let error = #expect(throws: RegistriesConf.Failure.self) { try Self.places(text, "a.io/app:1") }
        #expect(error?.description.hasPrefix("reading the mirrors in r.conf: ") == true)
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `tables that are begun elsewhere go on`() throws {
        let text =
            "a.b.c = 1\na.b.d = 2\n[a.b.e]\nf = 1\n[x.y]\nz = 1\n[x]\nw = 1\n[[l]]\n[l.m]\nn = 1\n[[l]]\n[l.m]\nn = 2"
        #expect(try Self.places(text, "a.io/app:1") == ["a.io/app."])
    }

    @Test func `credential helpers are in the order in which they are asked`() throws {
        func helpers(_ text: String) throws -> CredentialHelpers {
            let content = try RegistriesConf.content(of: Array(text.utf8), path: "r.conf")
            return .init(content.credentialHelpers ?? [])
        }
        #expect(try helpers("") == .init())
        #expect(try helpers("credential-helpers = []") == .init())
        let both = try helpers("credential-helpers = [\"a\", 'containers-auth.json', \"b\"]")
        #expect(both == .init(["a", "containers-auth.json", "b"]))
        #expect(try helpers("credential-helpers = [\"a\"]") != both)
    }

    /// Texts in all their forms, each of which means `m.io/a`.
    @Test(arguments: [
        "\"m.io/a\"", "'m.io/a'", "\"\"\"m.io/a\"\"\"", "\"\"\"\nm.io/a\"\"\"", "'''\r\nm.io/a'''",
        "\"m\\u002Eio/a\"", "\"m.io\\U0000002fa\"", "\"\"\"\\\n   m.io\\\r\n\n\t/a\"\"\"", "\"m.io/a\" # \"#\"",
    ])
    func `a text is what its form says`(text: String) throws {
        let file =
            "n = [1_0, +0.5e3, -inf, 1979-05-27 07:32:00Z, 07:32:00, [], {}, {a.\"b\" = 'c'},\n# ]\n]\n"
            + "[[registry]]\r\n\"location\" = 'a.io'\n  [[ registry . 'mirror' ]]\nlocation=\(text)\n[x.y]\n[x]\nregistry=1"
        #expect(try Self.places(file, "a.io/app:1") == ["m.io/a/app", "a.io/app."])
    }

    @Test func `a file of bytes is no text, and nesting without end is an error`() throws {
        for bytes in [[0xFF, 0xFE], Array(String(repeating: "[", count: 100_000).utf8), Array("a = \u{1b}[2J".utf8)] {
            let bytes: [UInt8] = bytes
            let error = #expect(throws: RegistriesConf.Failure.self) {
                try RegistriesConf.content(of: bytes, path: "r.conf")
            }
            #expect(error?.description.unicodeScalars.contains { $0.value < 32 } == false)
        }
        let many = Array(String(repeating: "[[a]]\n[a.b]\n", count: 80_000).utf8)
        #expect(try RegistriesConf.content(of: many, path: "r.conf").rules.isEmpty)
        let deep = "a = " + String(repeating: "[", count: 50_000)
        #expect(throws: RegistriesConf.Failure.self) {
            try RegistriesConf.content(of: Array(deep.utf8), path: "r.conf")
        }
    }
}
