import Foundation
import OCI
import TestSupport
import Testing

/// `drayage repair`: what is damaged is whole again, and nothing else was touched.
@Suite struct RepairTests {
    private let terminal: Terminal
    private let source: Source
    private let one: TestImage
    private let two: TestImage
    private let names: [String]
    private let bytes: [UInt8]

    init() async throws {
        terminal = try Terminal()
        source = try Source()
        var builder = ImageBuilder(seed: 881)
        one = try builder.image(layers: [builder.opaqueLayer(byteCount: 300_000), builder.layer()])
        two = try builder.multiPlatform()
        names = [try source.add(one, "team/one"), try source.add(two, "team/two")]
        try await terminal.succeed("bundle", names[0], names[1], "-o", "b.tar")
        bytes = try terminal.scratch.read("b.tar")
        try terminal.scratch.write(bytes, to: "copy.tar")
    }

    /// Flips a byte of each of some blobs or manifests in the bundle.
    private func damage(_ digests: Digest...) throws {
        var damaged = bytes
        for digest in digests {
            let entry = try #require(
                TarBytes.entries(of: bytes).first { $0.path == "blobs/sha256/\(digest.hex)" }
            )
            damaged[entry.range.lowerBound + entry.range.count / 2] ^= 1
        }
        try terminal.scratch.write(damaged, to: "b.tar")
    }

    private var isWhole: Bool { get throws { try terminal.scratch.read("b.tar") == bytes } }

    private func requests(_ body: () async throws -> Void) async rethrows -> [String] {
        let count = source.registry.requests.count
        try await body()
        return Array(source.registry.lines.dropFirst(count))
    }

    @Test func `a flipped byte costs one blob`() async throws {
        let layer = one.layers[0]
        try damage(layer.digest)
        let lines = try await requests {
            let outcome = try await terminal.drayage("repair", "b.tar", "--report", "report.json")
            #expect(outcome.status == 0, "\(outcome.errorText)")
            #expect(outcome.output.isEmpty)
            #expect(
                outcome.errorText.hasSuffix("; repaired 1 blob (300 kB), all verified\n"),
                "\(outcome.errorText)"
            )
        }
        #expect(try isWhole)
        #expect(lines == ["GET /v2/team/one/blobs/\(layer.digest)"])
        let report = try ReportDocument(terminal.scratch.read("report.json"))
        let blob = try #require(report.blobs?.first)
        #expect(report.blobs?.count == 1)
        #expect(blob.digest == "\(layer.digest)")
        #expect(blob.status == "repaired")
        #expect(blob.source == "\(source.address)/team/one")
        #expect(blob.movedByteCount == layer.descriptor.size)
        #expect(report.totals?.fetchedByteCount == layer.descriptor.size)
    }

    @Test func `a bundle that is whole is left as it is`() async throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1000)],
            ofItemAtPath: terminal.scratch.path("b.tar")
        )
        let lines = try await requests {
            let outcome = try await terminal.drayage("repair", "b.tar", "-q")
            expect(outcome, status: 0, errors: "")
        }
        #expect(lines.isEmpty)
        let attributes = try FileManager.default.attributesOfItem(atPath: terminal.scratch.path("b.tar"))
        #expect(attributes[.modificationDate] as? Date == Date(timeIntervalSince1970: 1000))
        let told = try await terminal.drayage("repair", "b.tar")
        #expect(told.errorText.hasSuffix(", nothing is damaged\n"))
    }

    @Test func `a manifest, and what it leads to`() async throws {
        let child = try #require(two.documents.first { $0.digest != two.digest })
        try damage(two.digest, child.digest, two.blobs[0].digest)
        let outcome = try await terminal.drayage("repair", "b.tar")
        #expect(outcome.status == 0, "\(outcome.errorText)")
        #expect(try isWhole)
        #expect(outcome.errorText.contains("repaired 3 blobs"))
    }

    @Test func `from another bundle nothing is asked for`() async throws {
        try damage(one.layers[0].digest, one.digest, two.blobs[1].digest)
        let lines = try await requests {
            let outcome = try await terminal.drayage("repair", "b.tar", "--from", "copy.tar")
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
        #expect(lines.isEmpty)
        #expect(try isWhole)
    }

    @Test func `from a bundle that is damaged too nothing is taken`() async throws {
        try damage(one.layers[0].digest)
        let damaged = try terminal.scratch.read("b.tar")
        try terminal.scratch.write(damaged, to: "copy.tar")
        let outcome = try await terminal.drayage("repair", "b.tar", "--from", "copy.tar")
        #expect(outcome.status == 1)
        #expect(outcome.errorText.contains("copy.tar: \(one.layers[0].digest) is not in it, or is damaged there too"))
        #expect(try terminal.scratch.read("b.tar") == damaged)
    }

    @Test(arguments: [[], ["--keep-host"]])
    func `from the registry that it was pushed to`(options: [String]) async throws {
        let target = try Source()
        let place = "\(target.address)/mirror"
        #expect(try await terminal.command(["push", "b.tar", place] + options).run().status == 0)
        try damage(one.layers[0].digest, one.digest)
        let lines = try await requests {
            let outcome = try await terminal.command(["repair", "b.tar", "--from", place] + options).run()
            #expect(outcome.status == 0, "\(outcome.errorText)")
        }
        #expect(lines.isEmpty)
        #expect(try isWhole)
        #expect(target.registry.lines.filter { $0.hasPrefix("GET") }.allSatisfy { $0.contains("/v2/mirror/") })
    }

    @Test func `what cannot be had stays damaged, and is told`() async throws {
        let bad = one.layers[0].digest
        let source = try Source { $0.path.hasSuffix("\(bad)") ? Answer(404) : nil }
        let name = try source.add(one, "app")
        // The same content, from a registry that has lost a layer since.
        let whole = try Source()
        #expect(try whole.add(one, "app").hasSuffix("/app:1"))
        try await terminal.succeed("bundle", try whole.add(one, "app"), "-o", "b.tar", "--force")
        let before = try terminal.scratch.read("b.tar")
        var damaged = before
        for digest in [bad, one.layers[1].digest] {
            let entry = try #require(TarBytes.entries(of: before).first { $0.path.hasSuffix(digest.hex) })
            damaged[entry.range.lowerBound] ^= 1
        }
        try terminal.scratch.write(damaged, to: "b.tar")
        let outcome = try await terminal.drayage("repair", "b.tar", "--from", source.address, "--json")
        #expect(outcome.status == 2, "\(outcome.errorText)")
        let report = try ReportDocument(outcome.output)
        #expect((report.blobs ?? []).map(\.status).sorted() == ["failed", "repaired"])
        #expect(report.failures.map(\.subject) == ["\(bad)"])
        #expect(report.failures[0].message.contains("answered 404"))
        #expect(report.images.map(\.status) == ["failed"])
        #expect(name.hasPrefix(source.address))
        // Only the byte of the layer that was not there is another.
        let after = try terminal.scratch.read("b.tar")
        #expect(zip(after, before).count { $0 != $1 } == 1)
    }

    @Test func `a registry with other bytes repairs nothing`() async throws {
        let layer = one.layers[0]
        let target = try Source { request in
            guard request.path.hasSuffix("\(layer.digest)") else { return nil }
            return Answer(body: [UInt8](repeating: 7, count: Int(layer.descriptor.size)))
        }
        try target.add(one, "team/one")
        try damage(layer.digest)
        let outcome = try await terminal.drayage("repair", "b.tar", "--from", target.address)
        #expect(outcome.status == 3)
        #expect(outcome.errorText.contains("the digest must be \(layer.digest)"), "\(outcome.errorText)")
        #expect(try await terminal.drayage("verify", "b.tar").status == 3)
        try await terminal.succeed("repair", "b.tar")
        #expect(try isWhole)
    }

    @Test func `what has no place in the file is told with what to do`() async throws {
        let digest = one.layers[0].digest
        let entries = TarBytes.entries(of: bytes).filter { !$0.path.hasSuffix(digest.hex) }
        let files = entries.map { TarBytes.File($0.path, Array(bytes[$0.range])) }
        try terminal.scratch.write(TarBytes.archive(files), to: "b.tar")
        let outcome = try await terminal.drayage("repair", "b.tar")
        #expect(outcome.status == 3)
        #expect(outcome.errorText.contains("\(digest) is missing, needed by \(names[0])"))
        #expect(outcome.errorText.contains("bundle the images again, with --reuse for what it has"))
    }

    @Test func `a repair that was killed is done by the next`() async throws {
        let layer = one.layers[0]
        try damage(layer.digest)
        let isAsked = Flag()
        let slow = try FaultProxy(to: source.address) { request, _ in
            guard request.path.hasSuffix("\(layer.digest)") else { return nil }
            isAsked.set(true)
            return .transfer(.stalled(after: 1000))
        }
        let running = try terminal.command(["repair", "b.tar", "--from", slow.address]).start()
        try await until { isAsked.isSet }
        let second = try await terminal.drayage("repair", "b.tar")
        #expect(second.status == 1)
        #expect(second.errorText.contains("b.tar: another run is repairing it"))
        running.signal(SIGKILL)
        _ = running.wait()
        #expect(try await terminal.drayage("verify", "b.tar").status == 3)
        try await terminal.succeed("repair", "b.tar")
        #expect(try isWhole)
    }

    @Test(
        arguments: [
            (["--keep-host"], "--keep-host is about a registry that --from names"),
            (["-u", "me", "--password-stdin"], "--username is for one registry, which --from names"),
        ] as [([String], String)]
    )
    func `what makes no sense is refused`(arguments: [String], message: String) async throws {
        let outcome = try await terminal.command(["repair", "b.tar"] + arguments).run()
        #expect(outcome.status == 64)
        #expect(outcome.errorText.contains(message))
    }
}
