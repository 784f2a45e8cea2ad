import Foundation
import OCI
import Synchronization
import TestSupport

/// What pushers have stored and pullers may rely on.
final class LoadRecord: Sendable {
    private struct State {
        var blobs: [(target: String, digest: Digest)] = []
        var known: Set<String> = []
        var images: [(target: String, digest: Digest)] = []
        var problems: [String] = []
        var pulled = 0
        var pushed = 0
        var byteCount: Int64 = 0
    }

    private let state = Mutex(State())
    private let generation = Atomic(0)
    private let isOver = Atomic(false)

    /// What went wrong.
    var problems: [String] { state.withLock { $0.problems } }
    /// Everything that was acknowledged, each once.
    var stored: [(target: String, digest: Digest)] { state.withLock { $0.blobs + $0.images } }
    /// How much was done, for a line to print.
    var summary: String {
        state.withLock { "\($0.pulled) pulls, \($0.pushed) pushes, \($0.byteCount >> 20) MiB, \($0.blobs.count) blobs" }
    }

    /// Whether it is time to end.
    var hasEnded: Bool { isOver.load(ordering: .relaxed) }
    /// Ends it.
    func end() { isOver.store(true, ordering: .relaxed) }

    /// A number that several pushers get at about the same time.
    func nextGeneration() -> Int { generation.add(1, ordering: .relaxed).newValue / 4 }

    /// One of the blobs, or of the images, that were acknowledged.
    func random(image: Bool, using random: inout SplitMix64) -> (target: String, digest: Digest)? {
        let number = random.next()
        return state.withLock { state in
            let list = image ? state.images : state.blobs
            return list.isEmpty ? nil : list[Int(number % UInt64(list.count))]
        }
    }

    func notePush(_ target: String, _ digest: Digest, image: Bool, byteCount: Int) {
        state.withLock { state in
            state.pushed += 1
            state.byteCount += Int64(byteCount)
            guard state.known.insert(target).inserted else { return }
            if image { state.images.append((target, digest)) } else { state.blobs.append((target, digest)) }
        }
    }

    func notePull(_ byteCount: Int) {
        state.withLock { state in
            state.pulled += 1
            state.byteCount += Int64(byteCount)
        }
    }

    func fail(_ problem: String) { state.withLock { $0.problems.append(problem) } }
}

/// A client that pushes blobs which others push at the same moment, and images of them.
struct LoadPusher {
    /// From the smallest that is common to a middle one; most are small, as in the world.
    private static let sizes = [4, 4, 8, 16, 16, 32, 64, 64, 128, 256, 512, 1024, 2048, 8192].map { $0 << 10 }
    /// Of the larger ones there are only so many, that a long run does not fill the disk.
    private static let largest = 128 << 10

    let client: ServeClient
    let record: LoadRecord
    var random: SplitMix64

    mutating func push() throws {
        let generation = record.nextGeneration()
        let size = Self.sizes[generation % Self.sizes.count]
        let seed = size > Self.largest ? UInt64(size + generation % 3) : UInt64(1_000_000 + generation)
        // Not a round number, so that pieces do not end where others do.
        let layer = try TortureBlob(byteCount: size + generation % 1000, seed: seed)
        let repository = "load/\(random.next() % 4)"
        try push(layer, to: repository)
        let config = try TortureBlob(Array(#"{"architecture":"amd64","os":"linux","seed":\#(seed)}"#.utf8))
        try push(config, to: repository)
        func entry(_ blob: TortureBlob, _ type: String) -> String {
            #"{"mediaType":"\#(type)","digest":"\#(blob.digest)","size":\#(blob.bytes.count)}"#
        }
        let type = "application/vnd.oci.image.manifest.v1+json"
        let own = entry(config, "application/vnd.oci.image.config.v1+json")
        let list = entry(layer, "application/vnd.oci.image.layer.v1.tar")
        let json = #"{"schemaVersion":2,"mediaType":"\#(type)","config":\#(own),"layers":[\#(list)]}"#
        let manifest = try TortureBlob(Array(json.utf8))
        let target = "/v2/\(repository)/manifests/seed-\(seed)-\(layer.bytes.count)"
        try ask("PUT", target, 201, headers: ["Content-Type": type], body: manifest.bytes[...])
        record.notePush(target, manifest.digest, image: true, byteCount: manifest.bytes.count)
    }

    private mutating func push(_ blob: TortureBlob, to repository: String) throws {
        let (uploads, bytes) = ("/v2/\(repository)/blobs/uploads/", blob.bytes)
        switch random.next() % 4 {
        case 0: try ask("POST", "\(uploads)?digest=\(blob.digest)", 201, body: bytes[...])
        case 1:
            let location = try ask("POST", uploads, 202).headers["location"] ?? ""
            for start in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 3)) {
                let piece = bytes[start..<min(bytes.count, start + max(1, bytes.count / 3))]
                let range = ["Content-Range": "\(piece.startIndex)-\(piece.endIndex - 1)"]
                try ask("PATCH", location, 202, headers: range, body: piece)
            }
            try ask("PUT", "\(location)?digest=\(blob.digest)", 201)
        default:
            let location = try ask("POST", uploads, 202).headers["location"] ?? ""
            try ask("PUT", "\(location)?digest=\(blob.digest)", 201, body: bytes[...])
        }
        record.notePush("/v2/\(repository)/blobs/\(blob.digest)", blob.digest, image: false, byteCount: bytes.count)
    }

    @discardableResult
    private func ask(
        _ method: String,
        _ target: String,
        _ status: Int,
        headers: [String: String] = [:],
        body: ArraySlice<UInt8> = []
    ) throws -> ServeClient.Answer {
        let answer = try client.ask(method, target, headers: headers, body: body)
        if answer.status != status { record.fail("\(method) \(target): \(answer.status) \(answer.text)") }
        return answer
    }
}

/// A client that pulls what has been acknowledged and verifies every byte.
struct LoadPuller {
    let client: ServeClient
    let record: LoadRecord
    var random: SplitMix64

    mutating func pull() throws {
        guard let (target, digest) = record.random(image: random.next() % 4 == 0, using: &random) else {
            usleep(1000)
            return
        }
        if random.next() % 8 == 0 {
            let head = try client.ask("HEAD", target)
            guard head.status != 200 || head.headers["docker-content-digest"] != digest.description else { return }
            return record.fail("HEAD \(target): \(head.status)")
        }
        let answer = try client.ask("GET", target, keepsBody: false)
        guard answer.status == 200, answer.digest == digest else {
            return record.fail("GET \(target): \(answer.status), \(answer.byteCount) bytes, \(answer.digest)")
        }
        record.notePull(answer.byteCount)
    }
}
