import Drayage
import TestSupport
import Testing

/// A source with an image, and what it takes to ask mirrors before it.
struct MirrorSite: Sendable {
    let workshop: Workshop
    let source: Source
    let image: TestImage
    let name: String

    init() throws {
        var workshop = try Workshop()
        workshop.includesReferrers = false
        (self.workshop, source) = (workshop, try Source())
        var builder = ImageBuilder(seed: 710)
        image = try builder.multiPlatform(sharing: [builder.layer(byteCount: 50_000)])
        name = try source.add(image, "team/app")
    }

    /// The workshop with mirrors of the whole source, and perhaps with what a file says.
    func workshop(with mirrors: String..., conf: String? = nil) throws -> Workshop {
        var workshop = workshop
        workshop.connections.mirrors = try mirrors.map { try RegistryMirror(parsing: "\(source.address)=\($0)") }
        if let conf {
            workshop.connections.environment["CONTAINERS_REGISTRIES_CONF"] =
                try workshop.scratch.write(conf, to: "conf/registries.conf")
        }
        return workshop
    }

    /// A mirror with the image, which answers as it should but for what the test answers itself.
    func mirror(
        _ path: String = "team/app",
        except fault: @escaping @Sendable (Request) -> Answer? = { _ in nil }
    ) throws -> Source {
        let mirror = try Source(except: fault)
        try mirror.add(image, path)
        return mirror
    }

    /// Expects the bundle to have the bytes of one that no mirror has had to do with.
    func expectSame(_ location: SourceLocation = #_sourceLocation) async throws {
        _ = try await workshop.bundle([name], to: "direct.tar")
        #expect(workshop.scratch.sameContent("bundle.tar", "direct.tar"), sourceLocation: location)
    }
}
