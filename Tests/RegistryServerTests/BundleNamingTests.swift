import ImageLayout
import OCI
import TestSupport
import Testing

@testable import RegistryServer

/// Under which names the images of bundles are served, and which bundles are refused.
@Suite struct BundleNamingTests {
    private let bundle: TestBundle

    init() throws { bundle = try TestBundle() }

    private func withHost(_ repository: Repository) throws -> RepositoryPath {
        try path("mirror/\(repository.registry.replacing(":", with: "__"))/\(repository.path)")
    }

    @Test func `every image is served under its mapped name alone`() throws {
        var builder = ImageBuilder(seed: 910)
        let (alpine, app) = (try builder.image(), try builder.image())
        let reader = try bundle.write([("docker.io/library/alpine:3.20", alpine), ("quay.io/app:1", app)])
        let store = try BundleContent(readers: [reader], naming: withHost).store(forNamespace: nil)
        let names = ["mirror/docker.io/library/alpine", "mirror/quay.io/app"]
        #expect(try store.repositories().map(\.description) == names)
        try expect(store, serves: [alpine], at: names[0])
        try expect(store, serves: [app], at: names[1])
        try expect(store, lacks: [alpine], at: "library/alpine")
    }

    @Test func `a name says tag or digest as in a push`() throws {
        var builder = ImageBuilder(seed: 911)
        let images = [try builder.image(), try builder.image(), try builder.image(), try builder.image()]
        let reader = try bundle.write(entries: [
            (images[0], named("quay.io/app:1")),
            (images[1], named("quay.io/app")),
            (images[2], named("quay.io/app@\(images[2].digest)")),
            // The digest is the name where both are given.
            (images[3], named("quay.io/app:4@\(images[3].digest)")),
        ])
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        #expect(try store.tags(in: path("app"))?.map(\.description) == ["1", "latest"])
        #expect(try store.digest(of: .latest, in: path("app")) == images[1].digest)
        try expect(store, serves: images, at: "app")
        let digestsOnly = try bundle.write(entries: [(images[2], named("app@\(images[2].digest)"))], to: "2.tar")
        let other = try BundleContent(readers: [digestsOnly], naming: withoutHost).store(forNamespace: nil)
        #expect(try other.repositories().map(\.description) == ["library/app"])
        #expect(try other.tags(in: path("library/app")) == [])
    }

    @Test func `who names a host gets what comes from there, under both names`() throws {
        var builder = ImageBuilder(seed: 912)
        let (hub, quay, local) = (try builder.image(), try builder.image(), try builder.image())
        let reader = try bundle.write([
            ("docker.io/library/app:1", hub), ("quay.io/library/app:1", quay), ("localhost:5000/app:1", local),
        ])
        let content = try BundleContent(readers: [reader], naming: withHost)
        for host in ["docker.io", "Docker.IO", "index.docker.io"] {
            let store = content.store(forNamespace: host)
            #expect(try store.repositories().map(\.description) == ["library/app", "mirror/docker.io/library/app"])
            for name in ["library/app", "mirror/docker.io/library/app"] {
                try expect(store, serves: [hub], at: name)
                try expect(store, lacks: [quay, local], at: name)
                #expect(try store.digest(of: Tag(parsing: "1"), in: path(name)) == hub.digest)
            }
        }
        let quayStore = content.store(forNamespace: "quay.io")
        #expect(try quayStore.digest(of: Tag(parsing: "1"), in: path("library/app")) == quay.digest)
        let localStore = content.store(forNamespace: "localhost:5000")
        #expect(try localStore.digest(of: Tag(parsing: "1"), in: path("app")) == local.digest)
        for host in ["localhost", "gcr.io", "", "docker.io/library", "docker.io:443"] {
            let store = content.store(forNamespace: host)
            #expect(try store.repositories() == [])
            #expect(try store.tags(in: path("library/app")) == nil)
            try expect(store, lacks: [hub], at: "library/app")
        }
    }

    @Test func `the name at the source comes before the mapped name of another`() throws {
        var builder = ImageBuilder(seed: 913)
        let (one, two) = (try builder.image(), try builder.image())
        let reader = try bundle.write([("quay.io/app:1", one), ("quay.io/p/app:1", two)])
        let content = try BundleContent(readers: [reader]) { try path("p/\($0.path)") }
        let everything = content.store(forNamespace: nil)
        #expect(try everything.digest(of: Tag(parsing: "1"), in: path("p/app")) == one.digest)
        let store = content.store(forNamespace: "quay.io")
        #expect(try store.digest(of: Tag(parsing: "1"), in: path("app")) == one.digest)
        #expect(try store.digest(of: Tag(parsing: "1"), in: path("p/app")) == two.digest)
        #expect(try store.digest(of: Tag(parsing: "1"), in: path("p/p/app")) == two.digest)
        // By digest both are there.
        try expect(store, serves: [one, two], at: "p/app")
    }

    @Test func `two images with one name are refused with both bundles`() throws {
        var builder = ImageBuilder(seed: 914)
        let (one, two) = (try builder.image(), try builder.image())
        let readers = [
            try bundle.write([("docker.io/x/app:1", one)], to: "one.tar"),
            try bundle.write([("quay.io/x/app:1", two), ("quay.io/x/app:2", one)], to: "two.tar"),
        ]
        let error = #expect(throws: BundleError.self) { try BundleContent(readers: readers, naming: withoutHost) }
        let first = BundleError.TaggedImage(name: "docker.io/x/app:1", digest: one.digest, bundle: readers[0].path)
        let second = BundleError.TaggedImage(name: "quay.io/x/app:1", digest: two.digest, bundle: readers[1].path)
        #expect(error?.code == .nameCollision(name: "x/app:1", first, second))
        #expect(
            error?.description == """
                docker.io/x/app:1 of \(readers[0].path) (\(one.digest)) and \
                quay.io/x/app:1 of \(readers[1].path) (\(two.digest)) would both be served as x/app:1
                """
        )
        #expect(throws: Never.self) { try BundleContent(readers: readers, naming: withHost) }
    }

    @Test func `one name with two images in two bundles is refused, in any order`() throws {
        var builder = ImageBuilder(seed: 915)
        let (old, new) = (try builder.image(), try builder.image())
        let readers = [
            try bundle.write([("quay.io/app:latest", old)], to: "old.tar"),
            try bundle.write([("quay.io/app:latest", new)], to: "new.tar"),
        ]
        for readers in [readers, readers.reversed()] {
            let error = #expect(throws: BundleError.self) { try BundleContent(readers: readers, naming: withHost) }
            guard case .nameCollision(let name, let first, let second) = error?.code else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(name == "mirror/quay.io/app:latest")
            #expect([first.bundle, second.bundle] == readers.map(\.path))
        }
    }

    @Test func `two sources with one name and one digest are one image`() throws {
        var builder = ImageBuilder(seed: 916)
        let image = try builder.multiPlatform()
        let reader = try bundle.write([("docker.io/x/app:1", image), ("quay.io/x/app:1", image)])
        let store = try BundleContent(readers: [reader], naming: withoutHost).store(forNamespace: nil)
        try expect(store, serves: [image], at: "x/app")
    }

    @Test func `what the mapping refuses is passed on`() throws {
        struct Refused: Error {}
        var builder = ImageBuilder(seed: 917)
        let reader = try bundle.write([("quay.io/app:1", try builder.image())])
        #expect(throws: Refused.self) { try BundleContent(readers: [reader]) { _ in throw Refused() } }
    }

    @Test(arguments: ["latest", "3.20"])
    func `a bare tag is no name`(name: String) throws {
        var builder = ImageBuilder(seed: 918)
        let reader = try bundle.write(entries: [(try builder.image(), named(name))])
        let error = #expect(throws: BundleError.self) { try BundleContent(readers: [reader], naming: withoutHost) }
        #expect(error?.code == .bareTag(name))
        #expect(
            error?.description == """
                \(reader.path): the image "\(name)" has a tag for a name and no repository; --name says which it is
                """
        )
    }

    @Test(arguments: ["Quay.io/App:1", "quay.io/app:", "../app", "quay.io/a\u{1b}[2Jb"])
    func `what is no reference is no name`(name: String) throws {
        var builder = ImageBuilder(seed: 919)
        let reader = try bundle.write(entries: [(try builder.image(), named(name))])
        let error = #expect(throws: BundleError.self) { try BundleContent(readers: [reader], naming: withoutHost) }
        guard case .invalidName(let cause) = error?.code else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.text == name)
        #expect(error?.description == "naming an image of \(reader.path): \(cause)")
        #expect(error?.description.contains("\u{1b}") == false)
    }

    @Test func `a bundle without names has nothing to serve`() throws {
        var builder = ImageBuilder(seed: 920)
        let good = try bundle.write([("quay.io/app:1", try builder.image())], to: "good.tar")
        let reader = try bundle.write(entries: [(try builder.image(), [:])])
        let error = #expect(throws: BundleError.self) {
            try BundleContent(readers: [good, reader], naming: withoutHost)
        }
        #expect(error?.code == .noNamedImage)
        #expect(error?.path == reader.path)
    }

    @Test func `a damaged bundle is refused`() throws {
        var builder = ImageBuilder(seed: 921)
        let image = try builder.image()
        let missing = [try #require(image.config).digest, image.layers[0].digest]
        let reader = try bundle.write(entries: [(image, named("quay.io/app:1"))], leavingOut: missing)
        #expect(reader.problems.count == 2)
        let error = #expect(throws: BundleError.self) { try BundleContent(readers: [reader], naming: withoutHost) }
        #expect(error?.code == .damaged(reader.problems[0], others: 1))
        #expect(error?.description == "\(reader.problems[0]) (and 1 more; drayage verify lists them)")
    }
}
