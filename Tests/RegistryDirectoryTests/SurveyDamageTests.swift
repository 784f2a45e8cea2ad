import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// Damage is noted, each with what it concerns, and all the rest is read.
@Suite struct SurveyDamageTests {
    let scratch: ScratchDirectory
    let registry: Registry
    let image: TestImage
    let other: Digest

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        registry = try Registry(scratch.path)
        var builder = ImageBuilder(seed: 1)
        image = try builder.image()
        try registry.add(image, repository, tag: tag("v1"))
        try registry.add(image, path("other"), tag: tag("v1"))
        other = try content(10).1
    }

    private let here = "docker/registry/v2/repositories/team/app"

    private func expect(
        _ expected: [(StorageDamage.Subject, String, String)],
        location: SourceLocation = #_sourceLocation
    ) throws {
        let survey = try registry.directory.survey()
        try #require(survey.repositories.map(\.path) == [path("other"), repository], sourceLocation: location)
        let damage = expected.map { StorageDamage($0.0, path: scratch.path("\(here)/\($0.1)"), $0.2) }
        #expect(Set(survey.repositories[1].damage) == Set(damage), sourceLocation: location)
        #expect(survey.repositories[1].damage.count == damage.count, sourceLocation: location)
        for found in survey.repositories {
            #expect(found.tags == [tag("v1"): image.digest], sourceLocation: location)
            #expect(found.manifests == [image.digest], sourceLocation: location)
            #expect(found.layers == Set(image.blobs.map(\.digest)), sourceLocation: location)
            #expect(found.danglingManifests.isEmpty && found.ghostTags.isEmpty, sourceLocation: location)
        }
        #expect(survey.repositories[0].damage.isEmpty && survey.damage.isEmpty, sourceLocation: location)
    }

    @Test(arguments: LeftOverTests.notLinks.map(\.what))
    func `a link that is none`(what: String) throws {
        let make = try #require(LeftOverTests.notLinks.first { $0.what == what }?.make)
        let places: [(StorageDamage.Subject, String)] = [
            (.layer(other), "_layers/sha256/\(other.hex)"),
            (.manifest(other), "_manifests/revisions/sha256/\(other.hex)"),
            (.tag(tag("v2")), "_manifests/tags/v2/current"),
        ]
        for (_, place) in places {
            let directory = scratch.path("\(here)/\(place)")
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try make(directory + "/link")
        }
        try expect(places.map { ($0.0, $0.1 + "/link", "it holds no digest") })
    }

    @Test func `a link to another digest`() throws {
        let places: [(StorageDamage.Subject, String)] = [
            (.layer(other), "_layers/sha256/\(other.hex)/link"),
            (.manifest(other), "_manifests/revisions/sha256/\(other.hex)/link"),
        ]
        for (_, place) in places { try scratch.write(image.digest.description, to: "\(here)/\(place)") }
        try expect(places.map { ($0.0, $0.1, "it holds \(image.digest) and should hold \(other)") })
    }

    @Test func `names that are none`() throws {
        let names = [
            ("_layers/md5/\(other.hex)/link", "_layers/md5", "its name is no known digest algorithm"),
            ("_layers/sha256/short/link", "_layers/sha256/short", "its name is no digest"),
            ("_layers/file", "_layers/file", "it is no directory"),
            ("_manifests/revisions/x/link", "_manifests/revisions/x", "its name is no known digest algorithm"),
            ("_manifests/revisions/sha256/A/link", "_manifests/revisions/sha256/A", "its name is no digest"),
            (
                "_manifests/revisions/sha256/\(other.hex)", "_manifests/revisions/sha256/\(other.hex)",
                "it is no directory"
            ),
            ("_manifests/tags/a b/current/link", "_manifests/tags/a b", "its name is no tag"),
            ("_manifests/tags/v2", "_manifests/tags/v2", "it is no directory"),
        ]
        for (file, _, _) in names { try scratch.write(other.description, to: "\(here)/\(file)") }
        try expect(names.map { (.name, $0.1, $0.2) })
    }

    @Test func `a part that is no directory`() throws {
        try FileManager.default.removeItem(atPath: scratch.path("\(here)/_uploads"))
        try scratch.write("x", to: "\(here)/_uploads")
        try expect([(.name, "_uploads", "it is no directory")])
    }

    /// Nobody is refused anything as root; a link that leads round in a circle is refused to all.
    @Test func `what the system refuses`() throws {
        let refused = String(cString: strerror(ELOOP)).lowercased()
        try FileManager.default.createDirectory(
            atPath: scratch.path("\(here)/_manifests/tags/v2/current"),
            withIntermediateDirectories: true
        )
        try FileManager.default.createDirectory(
            atPath: scratch.path("\(here)/_layers/sha256/\(other.hex)"),
            withIntermediateDirectories: true
        )
        let links = ["_manifests/tags/v2/current/link", "_layers/sha256/\(other.hex)/link"]
        for link in links { #expect(symlink("link", scratch.path("\(here)/\(link)")) == 0) }
        #expect(symlink("sha512", scratch.path("\(here)/_manifests/revisions/sha512")) == 0)
        try expect([
            (.tag(tag("v2")), links[0], "opening it: \(refused)"), (.layer(other), links[1], "opening it: \(refused)"),
            (.directory, "_manifests/revisions/sha512", "listing it: \(refused)"),
        ])
    }

    @Test func `a directory that cannot be listed outside of any repository`() throws {
        let blobs = scratch.path("docker/registry/v2/blobs/sha512")
        #expect(symlink("sha512", blobs) == 0)
        // Whether it is there cannot be told: it is not dangling.
        let lost = try Digest.of([1], algorithm: .sha512)
        try scratch.write(lost.description, to: "\(here)/_manifests/revisions/sha512/\(lost.hex)/link")
        let survey = try registry.directory.survey()
        #expect(survey.damage.map(\.subject) == [.directory] && survey.damage.first?.path == blobs)
        #expect(survey.repositories[1].damage.map(\.subject) == [.manifest(lost)])
        #expect(survey.repositories[1].danglingManifests.isEmpty)
        #expect(try survey.blobs.count == image.allBytes.count)
    }

    @Test(arguments: ["blobs", "repositories"])
    func `all blobs or all repositories that cannot be listed are an error`(name: String) throws {
        let place = scratch.path("docker/registry/v2/\(name)")
        try FileManager.default.removeItem(atPath: place)
        #expect(symlink(name, place) == 0)
        let error = #expect(throws: DirectoryError.self) { try registry.directory.survey() }
        #expect(error?.path == place && error?.operation == .reading)
    }
}
