import Foundation
import OCI
import TestSupport
import Testing

@testable import RegistryDirectory

/// What a survey finds in a directory that is as it should be, and beside it.
@Suite struct SurveyTests {
    let scratch: ScratchDirectory
    let registry: Registry

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        registry = try Registry(scratch.path)
    }

    private var directory: RegistryDirectory { registry.directory }
    private let all = "docker/registry/v2/repositories"

    private func survey() throws -> DirectorySurvey { try directory.survey() }

    private func find(_ name: String, location: SourceLocation = #_sourceLocation) throws -> RepositorySurvey {
        try #require(try survey().repositories.first { $0.path == path(name) }, sourceLocation: location)
    }

    private func setTime(_ seconds: Int, _ path: String) {
        let time = timeval(tv_sec: seconds, tv_usec: 0)
        #expect(lutimes(path, [time, time]) == 0)
    }

    // MARK: - Content

    @Test func `everything is found, in each repository and in all`() throws {
        var builder = ImageBuilder(seed: 1)
        let shared = try builder.layer()
        let list = try builder.multiPlatform(sharing: [shared])
        let one = try builder.image(layers: [shared, builder.layer()])
        builder.algorithm = .sha512
        let long = try builder.image()
        try registry.add(list, path("a/b"), tag: tag("v1"))
        try registry.add(one, path("a/b"))
        try registry.add(one, path("a/b/c"), tag: tag("one"))
        try registry.add(long, path("a/b/c"), tag: tag("long"))

        var heard: [RepositoryPath] = []
        let survey = try directory.survey { heard.append($0) }
        #expect(survey.repositories.map(\.path) == [path("a/b"), path("a/b/c")])
        #expect(Set(heard) == [path("a/b"), path("a/b/c")] && heard.count == 2)
        let (first, second) = (survey.repositories[0], survey.repositories[1])
        #expect(first.tags == [tag("v1"): list.digest])
        #expect(first.manifests == Set((list.documents + one.documents).map(\.digest)))
        #expect(first.layers == Set((list.blobs + one.blobs).map(\.digest)))
        #expect(second.tags == [tag("one"): one.digest, tag("long"): long.digest])
        #expect(second.manifests == [one.digest, long.digest])
        #expect(second.layers == Set((one.blobs + long.blobs).map(\.digest)))
        for repository in survey.repositories {
            #expect(!repository.isAliased && !repository.isEmpty)
            #expect(repository.ghostTags.isEmpty && repository.danglingManifests.isEmpty && repository.damage.isEmpty)
        }
        let bytes = try [list, one, long].reduce(into: [Digest: Int64]()) { sizes, image in
            for (digest, bytes) in try image.allBytes { sizes[digest] = Int64(bytes.count) }
        }
        #expect(survey.blobs == bytes)
        #expect(survey.uploads.isEmpty && survey.foreign.isEmpty && survey.damage.isEmpty)
    }

    @Test func `where no registry has been there is nothing, also for readers`() throws {
        let empty = try ScratchDirectory()
        let survey = try RegistryDirectory(path: empty.path, access: .readOnly).survey()
        #expect(survey.repositories.isEmpty && survey.blobs.isEmpty && survey.youngest == nil)
    }

    @Test func `a manifest is read by its digest alone, and verified`() throws {
        var builder = ImageBuilder(seed: 1)
        let image = try builder.image()
        try registry.add(image, repository, tag: tag("v1"))
        #expect(try directory.manifestBytes(image.digest) == image.document.bytes)
        let (bytes, other) = try content(10)
        #expect(try directory.manifestBytes(other) == nil)
        try registry.oracle.corrupt(image.digest, with: bytes)
        let error = #expect(throws: DirectoryError.self) { try directory.manifestBytes(image.digest) }
        #expect(error?.code == .damaged(expected: image.digest, actual: other))
    }

    // MARK: - What is missing

    @Test func `bytes that are gone are told from links that are gone`() throws {
        var builder = ImageBuilder(seed: 1)
        let images = try [builder.image(), builder.image()]
        for image in images { try registry.add(image, repository, tag: tag("v1")) }
        try registry.oracle.removeBlob(images[1].digest)
        try registry.oracle.removeBlob(images[0].layers[0].digest)
        let (survey, found) = (try survey(), try find("team/app"))
        #expect(found.tags == [tag("v1"): images[1].digest])
        #expect(found.manifests == [images[0].digest])
        #expect(found.danglingManifests == [images[1].digest])
        #expect(found.layers.contains(images[0].layers[0].digest))
        #expect(survey.blobs[images[0].layers[0].digest] == nil)
        #expect(found.damage.isEmpty)
        // As a kill between two steps of a removal leaves it.
        try FileManager.default.removeItem(
            atPath: scratch.path("\(all)/team/app/_layers/sha256/\(images[0].layers[0].digest.hex)/link")
        )
        #expect(try !find("team/app").layers.contains(images[0].layers[0].digest))
        #expect(try find("team/app").damage.isEmpty)
    }

    @Test func `a tag without a current link is a ghost, and young`() throws {
        var builder = ImageBuilder(seed: 1)
        try registry.add(try builder.image(), repository, tag: tag("v1"))
        let ghost = "\(all)/team/app/_manifests/tags/v2"
        try scratch.write("x", to: "\(ghost)/index/sha256/\(String(repeating: "0", count: 64))/link")
        setTime(4_000_000_000, scratch.path(ghost))
        let found = try find("team/app")
        #expect(found.ghostTags == [tag("v2")] && found.tags.keys.sorted() == [tag("v1")] && found.damage.isEmpty)
        #expect(try survey().youngest == WrittenFile(path: scratch.path(ghost), time: .seconds(4_000_000_000)))
    }

    @Test(arguments: ["_layers", "_manifests", "_uploads", ""])
    func `what is left of a repository is one in which nothing is`(part: String) throws {
        try FileManager.default.createDirectory(
            atPath: scratch.path("\(all)/a/b/\(part)"),
            withIntermediateDirectories: true
        )
        let survey = try survey()
        #expect(survey.repositories.map(\.path) == [path("a/b")])
        #expect(survey.repositories.allSatisfy { $0.isEmpty })
    }

    // MARK: - Times

    @Test func `the youngest is found among blobs, links and uploads`() throws {
        var builder = ImageBuilder(seed: 1)
        let image = try builder.image()
        try registry.add(image, repository, tag: tag("v1"))
        let upload = "\(all)/team/app/_uploads/00000000-0000-4000-8000-000000000000"
        try scratch.write("x", to: "\(upload)/data")
        try scratch.write("x", to: "\(upload)/startedat")
        try scratch.write("x", to: "\(all)/team/app/_uploads/other/startedat")
        let manifests = "\(all)/team/app/_manifests"
        var files = [registry.oracle.blobPath(image.digest), registry.oracle.blobPath(image.layers[0].digest)]
        files += [
            "\(manifests)/tags/v1/current/link", "\(manifests)/revisions/sha256/\(image.digest.hex)/link",
            "\(all)/team/app/_layers/sha256/\(image.layers[0].digest.hex)/link", "\(upload)/data",
            "\(all)/team/app/_uploads/other/startedat",
        ].map(scratch.path)
        for (number, file) in files.enumerated() {
            let time = 4_000_000_000 + number
            setTime(time, file)
            #expect(try survey().youngest == WrittenFile(path: file, time: .seconds(time)))
        }
    }

    @Test func `uploads are found under any name, and what only removals left has no time`() throws {
        let uploads = "\(all)/team/app/_uploads"
        let id = "00000000-0000-4000-8000-000000000000"
        try scratch.write("x", to: "\(uploads)/\(id)/data")
        try scratch.write("x", to: "\(uploads)/\(id)/startedat")
        try scratch.write("x", to: "\(uploads)/Begun/startedat")
        try scratch.write("x", to: "\(uploads)/tag/current/link")
        try scratch.write("x", to: "\(uploads)/file")
        for (number, file) in ["\(id)/data", "Begun/startedat", "file"].enumerated() {
            setTime(1000 + number, scratch.path("\(uploads)/\(file)"))
        }
        let expected = [(id, 1000), ("Begun", 1001), ("tag", nil), ("file", 1002)]
        let found = try survey()
        #expect(
            Set(found.uploads)
                == Set(
                    expected.map {
                        StoredUpload(repository: repository, id: $0.0, lastWrite: $0.1.map { .seconds($0) })
                    }
                )
        )
        #expect(found.youngest == WrittenFile(path: scratch.path("\(uploads)/file"), time: .seconds(1002)))
        #expect(found.repositories.map(\.path) == [repository] && found.repositories[0].isEmpty)
    }

    // MARK: - What is no repository

    @Test(arguments: ["Upper", "a b", "_trash/app", ".hidden", "a/" + String(repeating: "b", count: 254), "x\u{1b}y"])
    func `what nobody can serve is foreign, with all that it names`(name: String) throws {
        var builder = ImageBuilder(seed: 1)
        let image = try builder.multiPlatform()
        try registry.add(image, path("team"), tag: tag("v1"))
        try FileManager.default.createDirectory(
            atPath: scratch.path("\(all)/\(name)/other"),
            withIntermediateDirectories: true
        )
        for part in ["_layers", "_manifests"] {
            try FileManager.default.moveItem(
                atPath: scratch.path("\(all)/team/\(part)"),
                toPath: scratch.path("\(all)/\(name)/\(part)")
            )
        }
        let (_, damaged) = try content(10, seed: 2)
        try scratch.write("", to: "\(all)/\(name)/_layers/sha256/\(damaged.hex)/link")
        let survey = try survey()
        try #require(survey.foreign.map(\.path) == [name.printable])
        #expect(try survey.foreign[0].digests == Set(image.allBytes.keys).union([damaged]))
        #expect(survey.foreign[0].damage.map(\.subject) == [.layer(damaged)])
        #expect(survey.repositories.map(\.path) == [path("team")] && survey.repositories[0].isEmpty)
    }

    @Test func `a directory under a name that is no text is damage, as what it holds is unknown`() throws {
        try scratch.write("x", to: "\(all)/team/app/_layers/x")
        #expect(mkdir(scratch.path("\(all)/team/").utf8CString.dropLast() + [-1, -2, 0], 0o777) == 0)
        let damage = try survey().damage
        #expect(damage.map(\.subject) == [.directory])
        #expect(damage.first?.path == scratch.path("\(all)/team/\u{fffd}\u{fffd}"))
    }

    @Test func `what is not of the layout is no blob`() throws {
        let (bytes, digest) = try content(10)
        try registry.add(bytes, repository)
        let blobs = "docker/registry/v2/blobs"
        let other = String(repeating: "0", count: 64)
        for file in [
            "\(blobs)/file", "\(blobs)/md5/00/\(other)/data", "\(blobs)/sha256/file", "\(blobs)/sha256/00/file",
            "\(blobs)/sha256/01/\(other)/data", "\(blobs)/sha256/0/\(other)/data", "\(blobs)/sha256/00/\(other)/data/x",
        ] { try scratch.write("x", to: file) }
        #expect(try survey().blobs == [digest: 10])
        #expect(try survey().damage.isEmpty)
    }
}
