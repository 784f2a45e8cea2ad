import Drayage
import TestSupport
import Testing

@Suite struct ImageFinderTests {
    @Test(arguments: FindingFixture.all)
    func `a file's images are found in its order`(fixture: FindingFixture) {
        let findings = ImageFinder().find(in: fixture.bytes, name: "f")
        #expect(describe(findings) == fixture.images)
        #expect(findings.problems.map(\.description) == [])
    }

    /// A kind of each built-in group that has pods, and the way to the specification of its pod.
    @Test(arguments: [
        ("v1", "Pod", "spec"), ("v1", "PodTemplate", "template.spec"),
        ("v1", "ReplicationController", "spec.template.spec"),
        ("apps/v1", "Deployment", "spec.template.spec"), ("apps/v1beta2", "StatefulSet", "spec.template.spec"),
        ("apps/v1", "DaemonSet", "spec.template.spec"), ("apps/v1", "ReplicaSet", "spec.template.spec"),
        ("extensions/v1beta1", "Deployment", "spec.template.spec"),
        ("extensions/v1beta1", "DaemonSet", "spec.template.spec"),
        ("batch/v1", "Job", "spec.template.spec"), ("batch/v1beta1", "CronJob", "spec.jobTemplate.spec.template.spec"),
    ])
    func `a kind with pods has its images where its pod is`(version: String, kind: String, path: String) {
        let steps = path.split(separator: ".").map(String.init)
        let opening =
            steps.map { "{\($0): " }.joined() + "{containers: [{image: a:1}], initContainers: [{image: b:1}], "
        let inner = "ephemeralContainers: [{image: c:1}], volumes: [{image: {reference: d:1}}], image: e:1}"
        let text = """
            metadata: {name: n, image: f:1}
            wrong: {containers: [{image: g:1}]}
            \(opening.dropFirst())\(inner)\(String(repeating: "}", count: steps.count - 1))
            apiVersion: \(version)
            kind: \(kind)
            """
        let findings = find(text)
        #expect(findings.occurrences.map(\.text) == ["a:1", "b:1", "c:1", "d:1"])
        #expect(findings.occurrences.map(\.object) == Array(repeating: "\(kind)/n", count: 4))
        #expect(findings.occurrences.last?.field == "\(path).volumes[0].image.reference")
    }

    /// Built-in kinds without pods: what they call an image is none.
    @Test(arguments: [
        ("v1", "ConfigMap"), ("v1", "Secret"), ("apps/v1", "ControllerRevision"), ("autoscaling/v2", "Scale"),
        ("policy/v1", "PodDisruptionBudget"), ("networking.k8s.io/v1", "Ingress"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ])
    func `other built-in kinds have no images`(version: String, kind: String) {
        let findings = find("apiVersion: \(version)\nkind: \(kind)\nspec: {image: a:1}\nimage: '{{ no }}'\n")
        #expect(describe(findings) == [])
        #expect(findings.problems.isEmpty)
    }

    @Test(arguments: [2, 1000], ["{\"image\": \"a:1\"}\n", "{\n  \"image\": \"a:1\"\n}\n"])
    func `documents of JSON may follow each other`(count: Int, document: String) {
        let findings = find(String(repeating: document, count: count))
        let lineCount = document.split(separator: "\n").count
        #expect(findings.problems.isEmpty)
        #expect(findings.occurrences.map(\.place) == (0..<count).map { "f:\($0 * lineCount + (lineCount + 1) / 2)" })
    }

    @Test func `references are normalised and get no tag`() throws {
        let image = try #require(find("image: nginx").occurrences.first)
        #expect(image.reference.description == "docker.io/library/nginx")
        #expect(image.place == "f:1")
    }

    @Test func `long paths and names are cut`() throws {
        let key = String(repeating: "k", count: 5000)
        let text = "apiVersion: a.b/v1\nkind: X\nmetadata: {name: \(key)}\nspec:\n  \"\(key)\": {image: a:1}\n"
        let image = try #require(find("? \(key)\n: {image: b:1}\n").occurrences.first)
        #expect(image.field == String(repeating: "k", count: 200) + "…")
        #expect(try #require(find(text).problems.first).description.count < 500)
    }

    @Test(arguments: 1...4) func `damaged files neither stop the search nor keep it`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<250 {
            var bytes = try #require(FindingFixture.all.randomElement(using: &generator)).bytes
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = Array("{}[]:-&*#\"'\n\r\t |>!%@`\u{e9}".utf8).randomElement(using: &generator) ?? 0
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
            for guesses in [false, true] {
                let finder = ImageFinder(guesses: guesses)
                let (same, found) = try finder.rewrite(bytes, name: "f") { $0 }
                #expect(same == bytes)
                let (text, changed) = try finder.rewrite(bytes, name: "f") { _ in "mirror.example/x:2" }
                #expect(changed.occurrences.count == found.occurrences.count)
                // Unless some could not be replaced.
                guard changed.problems.count == found.problems.count else { continue }
                let after = finder.find(in: text, name: "f").occurrences
                #expect(after.allSatisfy { $0.text == "mirror.example/x:2" })
                #expect(guesses || after.map(\.field) == found.occurrences.map(\.field))
            }
        }
    }
}
