import FoundationEssentials
package import OCI

/// What somebody asked to have in a bundle, in their words.
package struct LayoutRequest: Hashable, Sendable, Codable {
    /// The reference.
    package let reference: String
    /// What it meant when the bundle was planned; nil where it could not be had.
    package let digest: Digest?

    package init(reference: String, digest: Digest?) {
        self.reference = reference
        self.digest = digest
    }
}

/// The part of a journal that stays: what was asked for, and the plan that was made of it.
struct JournalRecord {
    /// What was asked for.
    let requests: [LayoutRequest]
    /// What is made of it.
    let plan: LayoutPlan

    /// What each journal begins with, whichever version of drayage wrote it.
    static let family = "drayage.journal."
    /// What those of this version begin with.
    static let magic = family + "v2"
    /// The most bytes that are read, and written: a plan of 100,000 manifests has less.
    private static let byteLimit: Int64 = 256 << 20
    private static let lineLimit: Int64 = 256

    /// What the index and the documents do not say of the plan.
    private struct Head: Decodable {
        let requests: [LayoutRequest]
        /// The layers in it that are fetched from their makers; nil where there are none.
        let foreignLayers: [Digest]?
        /// How many entries of the index, the first ones, are images.
        let imageCount: Int
        /// The size of the index, which follows.
        let indexByteCount: Int
        /// The types, digests and sizes of the documents, whose bytes follow after it in this order.
        let documents: [Descriptor]

        /// As it is in the journal: one line.
        var bytes: [UInt8] {
            get throws(LayoutError) {
                var text = JSONText()
                text.append(#"{"documents":["#)
                try text.append(documents) { text, document throws(LayoutError) in try text.append(document) }
                if let foreignLayers {
                    text.append(#"],"foreignLayers":["#)
                    text.append(foreignLayers) { $0.append(text: $1.description) }
                }
                text.append(#"],"imageCount":"#)
                text.append(number: Int64(imageCount))
                text.append(#","indexByteCount":"#)
                text.append(number: Int64(indexByteCount))
                text.append(#","requests":["#)
                text.append(requests) { text, request in
                    text.append("{")
                    if let digest = request.digest {
                        text.append(#""digest":"#)
                        text.append(text: digest.description)
                        text.append(",")
                    }
                    text.append(#""reference":"#)
                    text.append(text: request.reference)
                    text.append("}")
                }
                text.append("]}\n")
                return text.bytes
            }
        }
    }

    /// The bytes, with a digest of them before.
    func encoded() throws(LayoutError) -> [UInt8] {
        let foreign = Set(plan.documents.flatMap(\.foreignLayers).filter(plan.foreignLayers.contains).map(\.digest))
        let index = plan.indexBytes
        let head = try Head(
            requests: requests,
            foreignLayers: foreign.isEmpty ? nil : foreign.sorted(),
            imageCount: plan.images.count,
            indexByteCount: index.count,
            documents: plan.documents.map(\.descriptor)
        ).bytes
        let parts = [head, index] + plan.documents.map(\.bytes)
        let count = parts.reduce(0) { $0 + $1.count }
        guard count <= Self.byteLimit else { throw LayoutError(.tooLarge, .planning, path: nil) }
        let line = Array("\(Self.magic) \(try Self.digest(of: parts)) \(count)\n".utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.count + count)
        for part in [line] + parts { bytes += part }
        return bytes
    }

    /// What is wrong with a file that has no record that can be read.
    static func fault(of file: OpenFile) throws(LayoutError) -> String {
        let start = try file.bytes(in: 0..<min(try file.byteCount(), lineLimit))
        let word = String(decoding: start.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
        let version = word.utf8.dropFirst((family + "v").utf8.count)
        let isOther =
            word != magic && word.hasPrefix(family + "v") && !version.isEmpty
            && version.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        return isOther ? "its journal is of another version of drayage" : "its journal is damaged"
    }

    /// Reads a record, and where it ends; nil where it is damaged, or none.
    static func read(from file: OpenFile) throws(LayoutError) -> (JournalRecord, end: Int)? {
        let size = try file.byteCount()
        let start = try file.bytes(in: 0..<min(size, lineLimit))
        guard let line = start.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = String(decoding: start[..<line], as: UTF8.self).split(separator: " ")
        guard words.count == 3, words[0] == magic, let count = Int64(words[2]), (0...byteLimit).contains(count),
            Int64(line) + 1 + count <= size
        else { return nil }
        let bytes = try file.bytes(in: Int64(line + 1)..<(Int64(line + 1) + count))
        guard try digest(of: [bytes]).description == words[1], let record = JournalRecord(bytes) else { return nil }
        return (record, line + 1 + Int(count))
    }

    /// Puts the plan together again from its bytes, whose digest has been verified; nil where this is no plan of ours.
    private init?(_ bytes: [UInt8]) {
        guard let line = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        do {
            let head = try JSONDecoder().decode(Head.self, from: Data(bytes[..<line]))
            var rest = bytes[(line + 1)...]
            guard 0...rest.count ~= head.indexByteCount else { return nil }
            let index = rest.prefix(head.indexByteCount)
            let entries = try JSONDecoder().decode(LayoutIndex.self, from: Data(index)).manifests
            guard 0...entries.count ~= head.imageCount else { return nil }
            rest = rest.dropFirst(head.indexByteCount)
            var documents: [Digest: Document] = [:]
            for descriptor in head.documents {
                guard descriptor.size <= rest.count else { return nil }
                let document = try Document(
                    bytes: Array(rest.prefix(Int(descriptor.size))),
                    declaredType: descriptor.mediaType,
                    algorithm: descriptor.digest.algorithm
                )
                documents[document.descriptor.digest] = document
                rest = rest.dropFirst(Int(descriptor.size))
            }
            let images = entries.prefix(head.imageCount).compactMap { entry in
                entry.imageName.map {
                    LayoutImage(name: $0, descriptor: entry.bare, subset: .init(entry.annotations))
                }
            }
            let referrers = entries.dropFirst(head.imageCount).compactMap { LayoutReferrer($0, document: nil) }
            requests = head.requests
            plan = try LayoutPlan(
                images: images,
                referrers: referrers,
                documents: documents,
                foreignLayers: .some(Set(head.foreignLayers ?? []))
            )
            // What was not understood, or is there twice, would be missing.
            guard plan.indexBytes.elementsEqual(index) else { return nil }
        } catch {
            // Written by a version that planned in another way.
            return nil
        }
    }

    init(requests: [LayoutRequest], plan: LayoutPlan) {
        self.requests = requests
        self.plan = plan
    }

    private static func digest(of parts: [[UInt8]]) throws(LayoutError) -> Digest {
        let hasher = DigestHasher(algorithm: .sha256)
        for part in parts { unsafe part.withUnsafeBytes { unsafe hasher.update($0) } }
        do {
            return try hasher.finish()
        } catch {
            throw LayoutError(.digest(reason: error.description), .writing, path: nil)
        }
    }
}
