import OCI
import TestSupport

/// What the runs of a push sent to a registry, of which some were killed, and what the registry made of it.
struct PushTally {
    /// How many runs there were.
    private(set) var runCount = 0
    /// How many of them were killed.
    private(set) var killCount = 0
    /// How many of those when some blobs, but not all tags, were there.
    private(set) var middleCount = 0
    /// What should not have been.
    private(set) var problems: [String] = []
    /// Which of the next run's requests will bring blobs.
    private(set) var expectedMoves = 0..<1

    private let images: InterruptedImages
    /// The blobs that the registry has acknowledged.
    private var acknowledged: Set<String> = []
    /// The blobs that each killed run of the present push was sending, and those of them that were sent again.
    private var sent: [(blobs: Set<String>, again: Set<String>)] = []
    private var acknowledgedByteCount = 0
    private var lostByteCount = 0

    init(_ images: InterruptedImages) { self.images = images }

    /// Begins a push to another registry.
    mutating func begin() { (acknowledged, sent) = ([], []) }

    /// Takes a run.
    ///
    /// - Parameters:
    ///   - requests: what it sent.
    ///   - tree: what the registry has then.
    ///   - isKilled: whether it was killed.
    mutating func take(_ requests: [FaultProxy.Exchange], _ tree: ServeTree, isKilled: Bool) {
        runCount += 1
        let uploads = requests.filter(\.isUpload)
        let names = Set(uploads.map(\.digest))
        for upload in uploads where acknowledged.contains(upload.digest) { problems.append("sent again: \(upload)") }
        for index in sent.indices {
            sent[index].again.formUnion(sent[index].blobs.intersection(names))
            // Who sends one more has had the answer to another.
            if sent[index].again.count > SlowSite.parallelism { problems.append("again: \(sent[index].again)") }
        }
        let done = uploads.filter { $0.status == 201 }
        acknowledged.formUnion(done.map(\.digest))
        if isKilled {
            killCount += 1
            if !acknowledged.isEmpty, tree.tags.count < images.all.count { middleCount += 1 }
            sent.append((names, []))
            acknowledgedByteCount += done.reduce(0) { $0 + $1.requestByteCount }
            lostByteCount += uploads.filter { $0.status != 201 }.reduce(0) { $0 + $1.requestByteCount }
        } else {
            let openedCount = requests.count { $0.request.method == "POST" && $0.status == 202 }
            if openedCount != done.count { problems.append("\(openedCount) uploads were begun, \(done.count) ended") }
            if let first = requests.firstIndex(where: \.isUpload), let last = requests.lastIndex(where: \.isUpload),
                sent.isEmpty
            {
                expectedMoves = first..<last
            }
        }
        check(tree)
    }

    /// Checks that whatever is visible in a registry is whole.
    private mutating func check(_ tree: ServeTree) {
        problems += tree.problems.filter { !$0.hasPrefix("left over: ") }
        for (name, digest) in tree.tags {
            let needed = images.all[name]?.documents.map(\.digest) ?? []
            let present = tree.manifests[String(name.prefix { $0 != ":" })] ?? []
            if images.all[name]?.digest != digest || !present.isSuperset(of: needed) {
                problems.append("\(name) points at \(digest), and has \(present.count) manifests")
            }
        }
        // A client that is killed can cancel nothing. What it had begun the registry removes when it is old.
        let leftCount = Set(tree.problems.compactMap(\.uploadSession)).count
        if leftCount > sent.count * SlowSite.parallelism { problems.append("\(leftCount) uploads are left") }
    }

    /// What came of it, in a line.
    var summary: String {
        "\(killCount) kills, \(middleCount) of them while blobs were sent; of \(acknowledgedByteCount) bytes that had "
            + "arrived none was sent again; \(lostByteCount) were under way"
    }
}

extension FaultProxy.Exchange {
    /// Whether it brought a blob.
    fileprivate var isUpload: Bool { request.method == "PUT" && request.path.contains("/blobs/uploads/") }

    /// The blob that it brought.
    fileprivate var digest: String { request.query["digest"] ?? "" }
}

extension String {
    /// The upload session that a line about something left over is about.
    fileprivate var uploadSession: Substring? {
        firstMatch(of: /^left over: (.*\/_uploads\/[^\/]+)/)?.1
    }
}
