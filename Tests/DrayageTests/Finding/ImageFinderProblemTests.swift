import Drayage
import Testing

@Suite struct ImageFinderProblemTests {
    /// A text, and the only problem in it.
    @Test(arguments: [
        (
            "services: {web: {image: 'app:${TAG}'}}",
            #"f:1: "app:${TAG}" (services.web.image): it is a variable; put its value in first: docker compose config, or envsubst"#
        ),
        (
            "image: '{{ .Values.image }}'",
            #"f:1: "{{ .Values.image }}" (image): it is a template; render the chart first: helm template"#
        ),
        // Without quotes it is a mapping.
        (
            "a:\n  image: {{ .Values.image }}\n",
            #"f:2: "{{ .Values.image }}" (a.image): it is a template; render the chart first: helm template"#
        ),
        (
            "image:\n  repository: a\n  tag: {{ .Chart.AppVersion }}\n",
            #"f:3: "{{ .Chart.AppVersion }}" (image.tag): it is a template; render the chart first: helm template"#
        ),
        (
            "image: two words",
            #"f:1: "two words" (image) is not a valid reference: it has the wrong form, at character 4 (" ")"#
        ),
        (
            "image: {repository: Upper/Case, tag: 1}",
            #"f:1: "Upper/Case:1" (image) is not a valid reference: a repository name must be lower case, at character 7 ("C")"#
        ),
        (
            "kind: Kustomization\nimages: [{name: a, newName: b}]",
            #"f:2: "b" (images[0]): its tag is decided elsewhere; render it: kustomize build"#
        ),
        (
            "images: {web: '{{ .x }}', policy: none}",
            #"f:1: "{{ .x }}" (images.web): it is a template; render the chart first: helm template"#
        ),
        ("image: '$(params.image)'", #"f:1: "$(params.image)" (image): it is a parameter; put its value in first"#),
        ("- a:1\n- 1.27\n", #"f:2: "1.27" ([1]): it is not a text; write it in quotes"#),
        ("services: {a: {image: {b: c}}}", "f:1: services.a.image: it is not a text"),
        (
            "a: 1\n---\nb: [\n",
            "f:4: it is not valid YAML: while parsing a flow node, did not find expected node content"
        ),
        (
            "a:\n\tb: c",
            "f:2: it is not valid YAML: while scanning for the next token, found character that cannot start any token"
        ),
        (
            "{{- if .Values.a }}\na: 1\n{{- end }}\n",
            "f:1: it is not valid YAML: while parsing a flow node, did not find expected node content; "
                + "if it is a template, render the chart first: helm template"
        ),
        ("a: *b", "f:1: it is not valid YAML: an alias has no anchor before it"),
        ("a: \u{1}", "f:1: it is not a text in UTF-8 (control characters are not allowed); save it as UTF-8"),
        (
            "Upper:1",
            #"f:1: "Upper:1" is not a valid reference: a repository name must be lower case, at character 1 ("U")"#
        ),
        (
            "- \"a\\e[2J\"",
            #"f:1: "a\u{1B}[2J" ([0]) is not a valid reference: it has the wrong form, at character 2 ("\u{1B}")"#
        ),
    ])
    func `a value that names no image is a problem`(text: String, problem: String) {
        let findings = find(text)
        #expect(findings.problems.map(\.description) == [problem])
    }

    /// A text, and the start and the end of its problem.
    @Test(
        arguments: [
            // What a chart decides.
            (#"image: {repository: nginx, pullPolicy: IfNotPresent, tag: ""}"#, #"f:1: "nginx" (image)"#, helm),
            ("a:\n- image: {registry: r.io, repository: x/y}", #"f:2: "r.io/x/y" (a[0].image)"#, helm),
            ("images: {web: {repository: x, version: 1}}", #"f:1: "x" (images.web)"#, helm),
            ("image: a/b\nversion: 1.0\n", #"f:1: "a/b" (image)"#, helm),
            ("image: a/b\ntag: ''\n", #"f:1: "a/b" (image)"#, helm),
            ("a: {b: [{tag: {{ .x }}, image: a/b}]}", #"f:1: "a/b" (a.b[0].image)"#, helm),
            // What kustomize decides.
            ("images: [{name: a, newName: b}]", #"f:1: "b" (images[0])"#, kustomize),
            ("images: [{name: a, tagSuffix: -x}]", #"f:1: "a" (images[0])"#, kustomize),
            ("images: [a=r.io:5000/b]", #"f:1: "r.io:5000/b" (images[0])"#, kustomize),
            // What other files say.
            ("services: {a: {extends: {file: b.yaml}}}", #"f:1: "b.yaml" (services.a.extends.file)"#, compose),
            ("services: {}\ninclude: [b.yaml]", #"f:2: "b.yaml" (include[0])"#, compose),
            ("services: {}\ninclude: [{path: [b.yaml]}]", #"f:2: "b.yaml" (include[0].path[0])"#, compose),
            // Lists of tags.
            ("quay.io: {images: {redis: ['1.0']}}", #"f:1: "redis" (["quay.io"].images.redis)"#, skopeo),
            ("quay.io: {images-by-semver: {a: '>1'}}", #"f:1: "a" (["quay.io"].images-by-semver.a)"#, skopeo),
        ] as [(String, String, String)]
    )
    func `an image that is decided elsewhere is a problem`(text: String, start: String, end: String) {
        let findings = find(text)
        #expect(findings.problems.map(\.description) == [start + ": " + end])
        #expect(describe(findings) == [])
    }

    private static let helm = "its tag is decided elsewhere; render it: helm template"
    private static let kustomize = "its tag is decided elsewhere; render it: kustomize build"
    private static let compose = "images are named there; render it: docker compose config"
    private static let skopeo = "its tags are for skopeo sync; write each image in a list of references"

    /// Texts in which nothing is an image, though it may look so.
    @Test(arguments: [
        "image: {repository: 'https://example.com/a.git', tag: ''}".replacing(", tag: ''", with: ""),
        "services: {a: {extends: {service: b}}, b: {build: .}}",
        "images: {tag: latest, pullPolicy: Always, on: true}", "images: [{name: web}, 1, ~]", "quay.io: {images: {}}",
    ])
    func `what names no image is no problem`(text: String) {
        #expect(find(text).problems.map(\.description) == [])
        #expect(describe(find(text)) == [])
    }

    @Test(arguments: [[0xff, 0xfe, 0x61, 0x00], [0xfe, 0xff, 0x00, 0x61]] as [[UInt8]])
    func `a text in UTF-16 is a problem`(bytes: [UInt8]) {
        let problems = ImageFinder().find(in: bytes, name: "f").problems
        #expect(problems.map(\.description) == ["f:1: it is written in UTF-16; save it as UTF-8"])
    }

    @Test(arguments: ["alpine:1\n\u{fffd}", "image: a:1\n---\na: \u{fffd}"])
    func `a text that is no UTF-8 is a problem`(text: String) throws {
        let bytes = Array(text.utf8).dropLast()
        let problem = try #require(ImageFinder().find(in: Array(bytes), name: "f").problems.first)
        #expect(problem.reason.contains("UTF-8"))
    }

    @Test func `after an error the search goes on with the next document`() {
        let findings = find("image: a:1\n---\nimage: b:1\nx: [\n--- # next\nimage: c:1\n---\n\tx\n---\nimage: d:1\n")
        #expect(
            describe(findings)
                == ["2 a:1 image", "6 c:1 image", "10 d:1 image"].map { $0.replacing("2 a", with: "1 a") }
        )
        #expect(findings.problems.map(\.place) == ["f:5", "f:8"])
    }

    @Test func `very deep nesting and bombs are harmless`() {
        let deep = find("a: " + String(repeating: "[", count: 100_000) + "\n---\nimage: a:1\n")
        #expect(deep.problems.map(\.description) == ["f:1: it is nested deeper than 200 levels"])
        #expect(describe(deep) == ["3 a:1 image"])
        let lines = (1...20).map {
            "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ", "))]\n"
        }
        let bomb = find("a0: &a0 {image: x:1}\n" + lines.joined() + "images: *a20\n")
        #expect(describe(bomb) == ["1 x:1 a0.image"])
    }

    @Test func `very many images are a problem`() {
        let many = find("images:\n" + String(repeating: "- a:1\n", count: 100_001))
        #expect(many.occurrences.isEmpty)
        #expect(
            many.problems.map(\.description)
                == ["f:100002: a document has more than 100000 values that may name images; split it"]
        )
    }
}
