import Drayage
import Testing

@Suite struct ImageFinderRewritingTests {
    private static func mirrored(_ text: String) throws -> String {
        let reference = try Reference(parsing: text)
        return reference.description.replacing(
            reference.repository.registry,
            with: "registry.site:5000/m",
            maxReplacements: 1
        )
    }

    private func rewritten(
        _ text: String,
        guesses: Bool = false,
        _ map: (String) throws -> String = mirrored
    ) throws -> String {
        let (bytes, findings) = try ImageFinder(guesses: guesses).rewrite(Array(text.utf8), name: "f", map)
        #expect(findings.problems.map(\.description) == [])
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: FindingFixture.all)
    func `without a change every byte stays`(fixture: FindingFixture) throws {
        let result = try ImageFinder(guesses: true).rewrite(fixture.bytes, name: "f") { $0 }
        #expect(result.text == fixture.bytes)
        #expect(describe(try ImageFinder().rewrite(fixture.bytes, name: "f") { $0 }.findings) == fixture.images)
    }

    @Test(arguments: FindingFixture.all)
    func `what is written is found again`(fixture: FindingFixture) throws {
        let before = ImageFinder().find(in: fixture.bytes, name: "f")
        let (text, findings) = try ImageFinder().rewrite(fixture.bytes, name: "f", Self.mirrored)
        #expect(findings.problems.map(\.description) == [])
        let after = ImageFinder().find(in: text, name: "f")
        #expect(try after.occurrences.map(\.text) == before.occurrences.map { try Self.mirrored($0.text) })
        #expect(after.occurrences.map(\.field) == before.occurrences.map(\.field))
    }

    /// A text, what its only image becomes, and the new text.
    @Test(arguments: [
        ("image: nginx:1 # c\n", "r.io/n:2", "image: r.io/n:2 # c\n"),
        ("image: 'nginx:1'", "r.io/n:2", "image: 'r.io/n:2'"),
        ("image: \"nginx:1\"", "r.io/n:2", "image: \"r.io/n:2\""),
        ("image: \"ngin\\u0078:1\"", "r.io/n:2", "image: \"r.io/n:2\""),
        ("{image: nginx}", "r.io/n:2", "{image: r.io/n:2}"),
        ("image: &a !!str nginx:1", "r.io/n:2", "image: &a !!str r.io/n:2"),
        // An alias is replaced where it stands, and the scalar stays what it is to others.
        ("name: &n redis\nimage: *n\nb: *n", "r.io/n:2", "name: &n redis\nimage: r.io/n:2\nb: *n"),
        ("{name: &n redis, image: *n }", "[::1]/n:2", "{name: &n redis, image: \"[::1]/n:2\" }"),
        (
            "tag: {a: &t 1.5}\nimage: {repository: a, tag: *t}", "r.io/n:2",
            "tag: {a: &t 1.5}\nimage: {repository: r.io/n, tag: \"2\"}"
        ),
        (
            "tag: &t v1\nx: {image: {repository: a, tag: *t}}", "b:v1",
            "tag: &t v1\nx: {image: {repository: b, tag: *t}}"
        ),
        // What has its tag in it keeps it there.
        ("{image: a/b:1, registry: r.io}", "s.io/n:2", "{image: n:2, registry: s.io}"),
        ("{image: {repository: a:1}}", "s.io/n:2", "{image: {repository: s.io/n:2}}"),
        ("{image: a/b, tag: v1}", "s.io/n:v2", "{image: s.io/n, tag: v2}"),
        ("images: ['old:1=new:2']", "s.io/n:3", "images: ['old:1=s.io/n:3']"),
        // A block keeps its lines.
        ("image: >-  # c\n   nginx:1\n\nb: 1\n", "r.io/n:2", "image: >-  # c\n   r.io/n:2\n\nb: 1\n"),
        // What would not be a text without quotes gets some.
        ("image: nginx", "true", "image: \"true\""),
        ("image: nginx", "1.5", "image: \"1.5\""),
        ("image: nginx", "12:30", "image: \"12:30\""),
        ("image: nginx", "null", "image: \"null\""),
        ("image: nginx", "[::1]/a", "image: \"[::1]/a\""),
        ("{image: nginx}", "[::1]/a", "{image: \"[::1]/a\"}"),
        ("{image: 'nginx'}", "[::1]/a", "{image: '[::1]/a'}"),
        // Parts.
        ("image: {repository: a/b, tag: 1}", "r.io/n:1", "image: {repository: r.io/n, tag: 1}"),
        ("image: {repository: a/b, tag: 1}", "r.io/n:2", "image: {repository: r.io/n, tag: \"2\"}"),
        (
            "image: {tag: '1', repository: b, registry: x.io}", "n:1",
            "image: {tag: '1', repository: library/n, registry: docker.io}"
        ),
        // Kustomizations.
        (
            "kind: Kustomization\nimages:\n- name: a # c\n  newTag: '1'\n", "r.io/n:1",
            "kind: Kustomization\nimages:\n- name: a # c\n  newName: r.io/n\n  newTag: '1'\n"
        ),
        (
            "kind: Kustomization\r\nimages:\r\n  - newTag: '1'\r\n    name: a", "n:2",
            "kind: Kustomization\r\nimages:\r\n  - newTag: '2'\r\n    name: a\n    newName: \"n\""
        ),
        (
            "{\"kind\": \"Kustomization\", \"images\": [{\"name\": \"a\", \"newTag\": \"1\"}]}", "r.io/n:1",
            "{\"kind\": \"Kustomization\", \"images\": [{\"name\": \"a\", \"newName\": \"r.io/n\", \"newTag\": \"1\"}]}"
        ),
        (
            "kind: Kustomization\nimages:\n- name: a\n  newName: b\n  newTag: x\n", "r.io/n:x",
            "kind: Kustomization\nimages:\n- name: a\n  newName: r.io/n\n  newTag: x\n"
        ),
        (
            "kind: Kustomization\nimages:\n- name: a\n  newTag: '1'\n", "a:2",
            "kind: Kustomization\nimages:\n- name: a\n  newTag: '2'\n"
        ),
        // Lists.
        ("\u{feff}# c\r\n é.io \r\n".replacing("é", with: "e"), "r.io/n:2", "\u{feff}# c\r\n r.io/n:2 \r\n"),
    ])
    func `only the reference changes`(text: String, new: String, result: String) throws {
        #expect(try rewritten(text) { _ in new } == result)
    }

    @Test func `a guess changes in its place only`() throws {
        let text = "args: [--a=quay.io/x/y:1, 'B=quay.io/x/y:1', \"c=quay.io\\/x/y:1\"]\nd: |-\n  e=quay.io/x/y:1\n"
        let result = "args: [--a=r.io/n:2, 'B=r.io/n:2', \"c=r.io/n:2\"]\nd: |-\n  e=r.io/n:2\n"
        #expect(try rewritten(text, guesses: true) { _ in "r.io/n:2" } == result)
    }

    /// Texts with an image that cannot be what it should become.
    @Test(arguments: [
        // There is no place for a digest.
        ("image: {repository: a, tag: 1}", "a:1@sha256:\(FindingFixture.digest)"),
        ("image: {repository: a, tag: 1}", "b"),
        // The indentation of an entry behind it is not plain to see.
        ("kind: Kustomization\nimages:\n- ? name\n  : a\n  newTag: '1'\n", "b:1"),
        ("kind: Kustomization\nimages: [{name: a, newName: '', newTag: '1'}]\n", "b:1"),
        // Another value would change with it.
        ("image: &a nginx:1\nb: *a", "b:1"),
        ("x: {image: {repository: a, tag: &t v1}}\n*t : 1", "a:2"),
    ])
    func `what cannot be replaced stays and is a problem`(text: String, new: String) throws {
        let result = try ImageFinder().rewrite(Array(text.utf8), name: "f") { _ in new }
        #expect(result.text == Array(text.utf8))
        #expect(result.findings.occurrences.count == 1)
        #expect(
            result.findings.problems.map(\.reason)
                == ["it cannot be replaced by \(new) where it is written; change it by hand"]
        )
    }

    @Test func `a part that two images share does not change for one of them`() throws {
        let text =
            "a: {image: {registry: &r x.io, repository: a, tag: v1}}\nb: {image: {registry: *r, repository: b, tag: v1}}\n"
        let result = try ImageFinder().rewrite(Array(text.utf8), name: "f") { $0 == "x.io/b:v1" ? "y.io/b:v1" : $0 }
        #expect(result.text == Array(text.utf8))
        #expect(result.findings.problems.map(\.place) == ["f:2"])
    }

    @Test func `an error of the map is a problem, and so is an answer that is no reference`() throws {
        struct Stop: Error, CustomStringConvertible { let description = "it is mapped to nothing" }
        let text = "image: a:1\nb: {image: b:1}\nc: {image: c:1}\n"
        let result = try ImageFinder().rewrite(Array(text.utf8), name: "f") { old in
            switch old {
            case "a:1": throw Stop()
            case "b:1": "B"
            default: "r.io/c:1"
            }
        }
        #expect(String(decoding: result.text, as: UTF8.self) == text.replacing("c:1", with: "r.io/c:1"))
        #expect(result.findings.occurrences.count == 3)
        #expect(
            result.findings.problems.map(\.description) == [
                #"f:1: "a:1" (image): it is mapped to nothing"#,
                #"f:2: "b:1" (b.image): "B" is not a valid reference: a repository name must be lower case, at character 1 ("B")"#,
            ]
        )
    }

    @Test func `a cancellation ends it`() {
        #expect(throws: CancellationError.self) { try rewritten("image: a") { _ in throw CancellationError() } }
    }
}
