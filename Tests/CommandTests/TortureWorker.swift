import Foundation
import OCI
import TestSupport

/// A client that uploads, tags and deletes without a rest, and records what it was told.
struct TortureWorker {
    private static let repositories = ["one", "two", "team/three"]

    private let number: Int
    private let record: TortureRecord
    private let pool: [TortureBlob]
    private let client: ServeClient
    private var random: SplitMix64
    /// Blobs of its own that no manifest needs.
    private var loose: [TortureRecord.Item] = []
    /// What its tags point at.
    private var tags: [TortureRecord.Item: Digest] = [:]

    init(_ number: Int, _ address: String, _ record: TortureRecord, _ pool: [TortureBlob], seed: UInt64) throws {
        self.number = number
        self.record = record
        self.pool = pool
        client = try ServeClient(address)
        random = SplitMix64(seed: seed &+ UInt64(number))
    }

    /// Works until the server goes.
    mutating func run() {
        do {
            while true { try step() }
        } catch is ServeClientError {
            // It was killed, which is what this waits for.
        } catch {
            record.fail("worker \(number): \(error)")
        }
    }

    private mutating func step() throws {
        let repository = Self.repositories.randomElement(using: &random) ?? "one"
        switch random.next() % 20 {
        case 0..<7: try tagImage(in: repository)
        case 7..<12: try upload(pool.randomElement(using: &random) ?? pool[0], to: repository)
        case 12..<15:
            let byteCount = Int.random(in: 1...60_000, using: &random)
            let blob = try TortureBlob(byteCount: byteCount, seed: random.next())
            if try upload(blob, to: repository) { loose.append(.blob(repository, blob.digest)) }
        case 15..<17: if let item = loose.popLast() { try delete([item], at: item.target) }
        case 17:
            guard let item = tags.keys.randomElement(using: &random) else { return }
            tags[item] = nil
            try delete([item], at: item.target)
        case 18: try deleteImage()
        default: try readBack()
        }
    }

    /// Asks; an answer of any other status is a failure of the test.
    @discardableResult
    private func ask(
        _ method: String,
        _ target: String,
        _ statuses: Int...,
        headers: [String: String] = [:],
        body: ArraySlice<UInt8> = []
    ) throws -> ServeClient.Answer {
        let answer = try client.ask(method, target, headers: headers, body: body)
        if !statuses.contains(answer.status) {
            record.fail("worker \(number): \(method) \(target): \(answer.status) \(answer.text)")
        }
        return answer
    }

    // MARK: - Blobs

    /// Uploads a blob in one of the ways that there are; false where it was given up on the way.
    @discardableResult
    private mutating func upload(_ blob: TortureBlob, to repository: String) throws -> Bool {
        let item = TortureRecord.Item.blob(repository, blob.digest)
        let uploads = "/v2/\(repository)/blobs/uploads/"
        let way = random.next() % 8
        if way < 3 {
            record.ask(item, blob.digest)
            try ask("POST", "\(uploads)?digest=\(blob.digest)", 201, body: blob.bytes[...])
            record.acknowledge(item, blob.digest)
            return true
        }
        let location = try ask("POST", uploads, 202).headers["location"] ?? ""
        var session = TortureRecord.Session(repository: repository, blob: blob)
        record.note(location, session)
        for _ in 0..<(way < 5 ? 0 : way - 4) where session.byteCount < blob.bytes.count {
            let end = Int.random(in: session.byteCount + 1...blob.bytes.count, using: &random)
            let range = ["Content-Range": "\(session.byteCount)-\(end - 1)"]
            try ask("PATCH", location, 202, headers: range, body: blob.bytes[session.byteCount..<end])
            session.byteCount = end
            record.note(location, session)
        }
        // Now and then it is forgotten, or given up.
        if way == 7, random.next() % 2 == 0 { return false }
        session.isEnding = true
        record.note(location, session)
        if way == 6, random.next() % 4 == 0 {
            try ask("DELETE", location, 204)
            record.note(location, nil)
            return false
        }
        record.ask(item, blob.digest)
        try ask("PUT", "\(location)?digest=\(blob.digest)", 201, body: blob.bytes[session.byteCount...])
        record.acknowledge(item, blob.digest)
        record.note(location, nil)
        return true
    }

    /// Gives a repository a blob: from another one, where that has it.
    private mutating func provide(_ blob: TortureBlob, to repository: String) throws {
        let item = TortureRecord.Item.blob(repository, blob.digest)
        guard random.next() % 3 == 0, let other = Self.repositories.randomElement(using: &random) else {
            // Until it is not given up.
            while try !upload(blob, to: repository) {}
            return
        }
        record.ask(item, blob.digest)
        let target = "/v2/\(repository)/blobs/uploads/?mount=\(blob.digest)&from=\(other)"
        let answer = try ask("POST", target, 201, 202)
        if answer.status == 202 {
            let location = answer.headers["location"] ?? ""
            try ask("PUT", "\(location)?digest=\(blob.digest)", 201, body: blob.bytes[...])
        }
        record.acknowledge(item, blob.digest)
    }

    // MARK: - Images

    /// Pushes an image of shared layers and points a tag at it.
    private mutating func tagImage(in repository: String) throws {
        let layers = (0...random.next() % 3).compactMap { _ in pool.randomElement(using: &random) }
        let config = try TortureBlob(Array(#"{"architecture":"amd64","os":"linux","x":"\#(random.next())"}"#.utf8))
        for blob in layers + [config] { try provide(blob, to: repository) }
        func entry(_ blob: TortureBlob, _ type: String) -> String {
            #"{"mediaType":"\#(type)","digest":"\#(blob.digest)","size":\#(blob.bytes.count)}"#
        }
        let type = "application/vnd.oci.image.manifest.v1+json"
        let list = layers.map { entry($0, "application/vnd.oci.image.layer.v1.tar") }.joined(separator: ",")
        let own = entry(config, "application/vnd.oci.image.config.v1+json")
        let json = #"{"schemaVersion":2,"mediaType":"\#(type)","config":\#(own),"layers":[\#(list)]}"#
        let manifest = try TortureBlob(Array(json.utf8))
        let tag = TortureRecord.Item.tag(repository, "worker-\(number)-\(random.next() % 4)")
        let revision = TortureRecord.Item.manifest(repository, manifest.digest)
        for item in [revision, tag] { record.ask(item, manifest.digest) }
        // What it points at while this is under way is not known here.
        tags[tag] = nil
        try ask("PUT", tag.target, 201, headers: ["Content-Type": type], body: manifest.bytes[...])
        for item in [revision, tag] { record.acknowledge(item, manifest.digest) }
        tags[tag] = manifest.digest
    }

    /// Removes an image, and with it the tags that point at it.
    private mutating func deleteImage() throws {
        guard let (item, digest) = tags.randomElement(using: &random), case .tag(let repository, _) = item else {
            return
        }
        let gone = tags.keys.filter { key in
            if case .tag(repository, _) = key { tags[key] == digest } else { false }
        }
        for key in gone { tags[key] = nil }
        let revision = TortureRecord.Item.manifest(repository, digest)
        try delete([revision] + gone, at: revision.target)
    }

    private func delete(_ items: [TortureRecord.Item], at target: String) throws {
        for item in items { record.ask(item, nil) }
        try ask("DELETE", target, 202)
        for item in items { record.acknowledge(item, nil) }
    }

    /// Reads one of its images.
    private mutating func readBack() throws {
        guard let (item, digest) = tags.randomElement(using: &random) else { return }
        let answer = try ask("GET", item.target, 200)
        if answer.digest != digest { record.fail("worker \(number): \(item) is \(answer.digest), not \(digest)") }
    }
}
