import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// Repositories that are reached by more than one path.
@Suite struct SurveyAliasTests {
    let scratch: ScratchDirectory
    let registry: Registry
    let image: TestImage

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        registry = try Registry(scratch.path)
        var builder = ImageBuilder(seed: 1)
        image = try builder.image()
        for name in ["a/b", "a/b/c", "d"] { try registry.add(image, path(name), tag: tag("v1")) }
    }

    private func link(_ name: String, to target: String) {
        #expect(symlink(target, scratch.path("docker/registry/v2/repositories/\(name)")) == 0)
    }

    private func expect(
        aliased: Set<String>,
        others: Set<String>,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let survey = try registry.directory.survey()
        let names = { (isAliased: Bool) in
            Set(survey.repositories.filter { $0.isAliased == isAliased }.map(\.path.description))
        }
        #expect(names(true) == aliased, sourceLocation: location)
        #expect(names(false) == others, sourceLocation: location)
        #expect(survey.foreign.isEmpty && survey.damage.isEmpty, sourceLocation: location)
        for found in survey.repositories {
            #expect(found.tags == [tag("v1"): image.digest], sourceLocation: location)
            #expect(found.damage.isEmpty, sourceLocation: location)
        }
    }

    @Test func `without links nothing is aliased`() throws { try expect(aliased: [], others: ["a/b", "a/b/c", "d"]) }

    @Test func `a link to a repository is one, and that is aliased as well`() throws {
        link("e", to: "d")
        try expect(aliased: ["d", "e"], others: ["a/b", "a/b/c"])
    }

    @Test func `a link to a directory above goes for all beneath`() throws {
        link("e", to: "a")
        try expect(aliased: ["a/b", "a/b/c", "e/b", "e/b/c"], others: ["d"])
    }

    @Test func `a link to a repository goes for those beneath it`() throws {
        link("e", to: scratch.path("docker/registry/v2/repositories/a/b"))
        try expect(aliased: ["a/b", "a/b/c", "e", "e/c"], others: ["d"])
    }

    @Test(arguments: [".", "..", "../.."])
    func `links upwards do not go on for ever`(target: String) throws {
        link("a/up", to: target)
        let beneath: Set<String> = ["a/b", "a/b/c"]
        try expect(aliased: target == "." ? beneath : beneath.union(["d"]), others: target == "." ? ["d"] : [])
    }

    @Test func `two directories with links to each other end`() throws {
        link("a/d", to: "../d")
        link("d/a", to: "../a")
        try expect(aliased: ["a/b", "a/b/c", "a/d", "d", "d/a/b", "d/a/b/c"], others: [])
    }

    @Test(arguments: ["_layers", "_manifests/tags", "_manifests/revisions/sha256"])
    func `a link to a part of a repository goes for that one`(part: String) throws {
        let repositories = scratch.path("docker/registry/v2/repositories")
        try FileManager.default.removeItem(atPath: "\(repositories)/d/\(part)")
        link("d/\(part)", to: "\(repositories)/a/b/\(part)")
        try expect(aliased: ["a/b", "d"], others: ["a/b/c"])
    }

    @Test func `a repository on another disk is found, and aliased`() throws {
        let other = try ScratchDirectory()
        try Command("mv", [scratch.path("docker/registry/v2/repositories/d"), other.path("d")]).check()
        link("d", to: other.path("d"))
        try expect(aliased: ["d"], others: ["a/b", "a/b/c"])
    }

    @Test func `a link to nowhere is told, as what it leads to may be on a disk that is not there`() throws {
        link("nowhere", to: "/nowhere/at/all")
        let survey = try registry.directory.survey()
        #expect(survey.damage.map(\.subject) == [.directory])
        #expect(survey.damage.first?.path.hasSuffix("/nowhere") == true)
    }

    @Test func `links in a circle or to a file are passed over`() throws {
        link("circle", to: "circle")
        try scratch.write("x", to: "file")
        link("file", to: scratch.path("file"))
        try expect(aliased: [], others: ["a/b", "a/b/c", "d"])
    }

    @Test func `links above all repositories are nobody's`() throws {
        let whole = scratch.path("docker/registry/v2/repositories")
        try FileManager.default.moveItem(atPath: whole, toPath: scratch.path("_layers"))
        #expect(symlink(scratch.path("_layers"), whole) == 0)
        try expect(aliased: [], others: ["a/b", "a/b/c", "d"])
        link("e", to: "d")
        try expect(aliased: ["d", "e"], others: ["a/b", "a/b/c"])
    }
}
