import OCI
import Testing

@testable import Drayage

@Suite struct PruneRuleTests {
    @Test func `the newest images of each repository stay, by their own time`() throws {
        var builder = ContentsBuilder()
        for (tag, created) in [
            ("old", "2024-01-01T00:00:00Z"), ("mid", "2024-06-01T00:00:00.5+02:00"),
            ("new", "2025-01-01T00:00:00.123456789Z"),
        ] {
            try builder.manifest(tag, created: created, in: "a/app")
            try builder.tag(tag, tag, in: "a/app")
        }
        try builder.tag("latest", "new", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of([], newest: 2))
        #expect(plan.keptTags() == ["a/app:latest", "a/app:mid", "a/app:new"])
        #expect(plan.repository("a/app")?.tags.first { $0.tag.description == "mid" }?.reason == "one of the 2 newest")
    }

    @Test func `images of one time stay together, and so does what does not say its time`() throws {
        var builder = ContentsBuilder()
        for tag in ["a", "b", "c"] {
            try builder.manifest(tag, created: "1970-01-01T00:00:00Z", in: "a/app")
            try builder.tag(tag, tag, in: "a/app")
        }
        try builder.manifest("chart", in: "a/app")
        try builder.tag("chart", "chart", in: "a/app")
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of([], newest: 1))
        #expect(plan.removedTags().isEmpty)
    }

    @Test func `tags that match an expression anywhere stay`() throws {
        var builder = ContentsBuilder()
        for tag in ["v1.0", "1.0-rc1", "nightly"] { try builder.image("a/app:\(tag)") }
        let anchored = try PrunePlanner.plan(builder.contents, keeping: .of([], tags: ["^v"]))
        #expect(anchored.keptTags() == ["a/app:v1.0"])
        let anywhere = try PrunePlanner.plan(builder.contents, keeping: .of([], tags: [#"1\.0"#]))
        #expect(anywhere.keptTags() == ["a/app:1.0-rc1", "a/app:v1.0"])
    }

    @Test func `what the globs do not name is left as it is, with all that it needs`() throws {
        var builder = ContentsBuilder()
        try builder.image("team/app:1", shared: ["base"])
        try builder.image("team/app:2")
        try builder.image("other/app:1", shared: ["base"])
        try builder.manifest("untagged", needs: ["layer of it"], in: "other/app")
        try builder.layers(["link of a push"], in: "other/app")
        let plan = try PrunePlanner.plan(
            builder.contents,
            keeping: .of(["team/app:2", "other/none:1"], only: ["team/*"])
        )
        #expect(plan.repositories.map(\.repository.description) == ["team/app"])
        #expect(plan.removedTags() == ["team/app:1"])
        // Nobody may touch it, so nobody asks whether it is there.
        #expect(plan.missing.isEmpty)
        for blob in ["base", "layer of it", "link of a push"] { #expect(!plan.removesBlob(blob)) }
    }

    /// A glob, and paths that it matches and does not match.
    @Test(arguments: [
        ("team/*", ["team/app", "team/a.b-c"], ["team", "team/a/b", "other/app"]),
        ("team/**", ["team/app", "team/a/b"], ["team", "steam/app"]),
        ("**/app", ["a/app", "a/b/app"], ["app", "a/apps"]),
        ("a?p", ["app", "a1p"], ["ap", "apps"]),
        ("lib*/alp*", ["library/alpine"], ["library/x/alpine"]),
        ("app", ["app"], ["app/b", "b/app"]),
    ])
    func `a glob matches whole paths`(glob: String, matching: [String], others: [String]) throws {
        let glob = try RepositoryGlob(parsing: glob)
        func matches(_ path: String) throws -> Bool { glob.matches(try RepositoryPath(parsing: path)) }
        #expect(try matching.filter(matches) == matching)
        #expect(try others.filter(matches) == [])
    }

    @Test(arguments: ["", "/app", "Team/*", "a//b", "app:1"])
    func `a glob that no path can match is refused`(glob: String) {
        #expect(throws: DrayageError.self) { try RepositoryGlob(parsing: glob) }
    }

    @Test func `a requirement of nothing is refused`() {
        #expect { try PruneRequirement(images: []) } throws: { ($0 as? DrayageError)?.code == .emptyList }
        #expect { try PruneRequirement.of([], newest: 0) } throws: { ($0 as? DrayageError)?.code == .usage }
        #expect { try PruneRequirement.of([], tags: ["("]) } throws: { ($0 as? DrayageError)?.code == .usage }
    }

    /// A required text, and where it is looked for: without and with a prefix, and under kept hosts.
    @Test(arguments: [
        (
            "app", ["library/app", "app"], ["m/library/app", "library/app", "m/app", "app"],
            ["docker.io/library/app", "library/app", "app"]
        ),
        ("docker.io/app", ["library/app", "app"], ["m/library/app", "m/app"], ["docker.io/library/app"]),
        ("library/app", ["library/app"], ["m/library/app", "library/app"], ["docker.io/library/app", "library/app"]),
        ("quay.io/a/b", ["a/b"], ["m/a/b"], ["quay.io/a/b"]),
        (
            "site.io:5000/m/a/b", ["m/a/b"], ["m/m/a/b", "m/a/b"],
            ["site.io__5000/m/a/b", "m/a/b"]
        ),
    ])
    func `a required name is looked for wherever it could be`(
        text: String,
        plain: [String],
        prefixed: [String],
        hosts: [String]
    ) throws {
        let image = try #require(try PruneRequirement.of([text]).images.first)
        func candidates(_ mapping: PathMapping) throws -> [String] {
            try RequiredPaths(mapping: mapping, registry: "site.io:5000").candidates(for: image).map(\.description)
        }
        #expect(try candidates(PathMapping()) == plain)
        #expect(try candidates(PathMapping(prefix: "m")) == prefixed)
        #expect(try candidates(PathMapping(keepsHost: true)) == hosts)
    }

    @Test func `a short name keeps both repositories that it could mean`() throws {
        var builder = ContentsBuilder()
        for path in ["app", "library/app", "other/app"] { try builder.image("\(path):1") }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["app:1"]))
        #expect(plan.keptTags() == ["app:1", "library/app:1"])
    }

    @Test func `where repositories are named, what is required of others is not missing`() throws {
        var builder = ContentsBuilder(isStorage: false)
        try builder.image("app:1")
        try builder.image("app:2")
        var planner = PrunePlanner(
            requirement: try .of(["app:2", "other/app:1", "team/x"]),
            paths: RequiredPaths(mapping: try PathMapping(), registry: "site.io"),
            target: "site.io"
        )
        #expect(try planner.plan(for: builder.contents).missing.count == 2)
        planner.selected = [try RepositoryPath(parsing: "app")]
        let plan = try planner.plan(for: builder.contents)
        #expect(plan.missing.isEmpty)
        #expect(plan.removedTags() == ["app:1"])
    }

    @Test func `a prefix limits what may be touched`() throws {
        var builder = ContentsBuilder()
        for path in ["m/a/app", "m/b/app", "a/app", "mm/app"] { try builder.image("\(path):1") }
        let plan = try PrunePlanner.plan(builder.contents, keeping: .of(["a/app:1"]), mapping: PathMapping(prefix: "m"))
        #expect(plan.repositories.map(\.repository.description) == ["m/a/app", "m/b/app"])
        #expect(plan.keptTags() == ["m/a/app:1"])
        #expect(!plan.removesBlob("mm/app:1/layer"))
    }
}
