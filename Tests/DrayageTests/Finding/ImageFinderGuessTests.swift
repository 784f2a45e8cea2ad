import Testing

@testable import Drayage

@Suite struct ImageFinderGuessTests {
    /// A text that nobody calls an image, and the reference in it.
    @Test(arguments: [
        ("quay.io/a/b:1", "quay.io/a/b:1"), ("localhost/a:1", "localhost/a:1"), ("host:5000/a:1", "host:5000/a:1"),
        ("--image=quay.io/a/b:1", "quay.io/a/b:1"), ("IMAGE=quay.io/a:1", "quay.io/a:1"),
        ("quay.io/a@sha256:\(FindingFixture.digest)", "quay.io/a@sha256:\(FindingFixture.digest)"),
        // No tag, no host, no path, a scheme, more than a reference.
        ("quay.io/a/b", nil), ("library/a:1", nil), ("a.b:1", nil), ("https://quay.io/a:1", nil),
        ("--url=https://quay.io/a:1", nil), ("quay.io/a:1 quay.io/b:1", nil), ("/etc/a.b:1", nil), ("", nil),
        ("10.0.0.0/8", nil), ("a=b=quay.io/a:1", nil),
    ])
    func `a text may look like a reference`(text: String, reference: String?) {
        #expect(LikelyReference(text)?.text == reference)
    }

    @Test func `guesses are values only, and never problems`() {
        let text = """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: c, annotations: {"a.b/c": quay.io/x/note:1, "quay.io/key/a:1": x}}
            data:
              image: quay.io/x/data:1
              broken: quay.io/X:1
              block: |-
                RELATED=quay.io/x/block:1
            ---
            apiVersion: v1
            kind: Pod
            spec:
              containers:
              - image: '{{ x }}'
                args: [--side=quay.io/x/side:1, *a]
            ---
            - [nested, {a: quay.io/x/list:1}]
            """.replacing("*a", with: "1")
        #expect(describe(find(text)) == [])
        let findings = find(text, guesses: true)
        #expect(
            describe(findings) == [
                #"3 quay.io/x/note:1 ConfigMap/c metadata.annotations["a.b/c"]"#,
                "5 quay.io/x/data:1 ConfigMap/c data.image",
                "7 quay.io/x/block:1 ConfigMap/c data.block",
                "15 quay.io/x/side:1 Pod spec.containers[0].args[0]",
                "17 quay.io/x/list:1 [0][1].a",
            ]
        )
        #expect(findings.problems.map(\.place) == ["f:14"])
    }

    @Test func `what is an image is not guessed again`() {
        let text = "image: quay.io/a/b:1\nx: {image: {repository: quay.io/a/c, tag: 1, other: quay.io/a/d:1}}\n"
        #expect(
            find(text, guesses: true).occurrences.map(\.text) == ["quay.io/a/b:1", "quay.io/a/c:1", "quay.io/a/d:1"]
        )
    }
}
