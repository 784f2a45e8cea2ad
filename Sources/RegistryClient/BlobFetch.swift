import NIOHTTP1
import OCI

/// Fetches one blob from one repository, or a foreign layer from its maker, by one request after the other or by several at once.
struct BlobFetch: Sendable {
    let client: RegistryClient
    let download: BlobDownload
    let blob: Descriptor
    let registry: Registry
    /// What follows the registry's base URL, or a whole URL.
    let path: String
    /// The repository that it is in; nil where it is its maker's.
    let repository: Repository?
    /// Whether it needs a slot of those for large blobs.
    let isLarge: Bool
    let context: RequestContext

    // MARK: - One request after the other

    /// Fetches what is missing, and verifies the whole.
    func run() async throws {
        try await client.retrying(registry, context, reached: download.furthest) {
            do {
                if !download.isWhole { try await request(piece: 0) }
                try download.finish()
            } catch is BlobDownload.RangeRefused {
                download.stopContinuing()
                try await request(piece: 0)
                try download.finish()
            } catch is BlobDownload.PrefixDamaged {
                try await request(piece: 0)
                try download.finish()
            }
        }
    }

    /// Asks once for what is missing of a piece.
    private func request(piece: Int) async throws {
        guard isLarge else { return try await requestAtOnce(piece: piece) }
        try await registry.largeSlots.withSlot { try await requestAtOnce(piece: piece) }
    }

    private func requestAtOnce(piece: Int) async throws {
        let asked = download.request(for: piece)
        defer { download.noteRequestEnded() }
        do {
            // Through the registry each time: where it redirects to is good for a while only.
            let (request, response) = try await client.attempt(
                .GET,
                path,
                to: registry,
                headers: asked.headers,
                scopes: repository.map { [.pull($0)] } ?? [],
                handling: .stream(asked),
                context: context
            )
            try response.expect(asked.range == nil ? [200] : [200, 206], of: request, context: context)
        } catch is BlobDownload.PieceEnded {
            // Another request has what follows.
        }
    }

    // MARK: - Several at once

    /// What happens while several requests are under way.
    private enum Event: Sendable {
        /// It is time to look whether more would help.
        case tick
        /// Who began has found nothing more to do.
        case mainEnded
        case helperEnded(HelpEnd)
    }

    /// How help ends.
    enum HelpEnd: Sendable {
        /// There is nothing more to do, or not now.
        case idle
        /// It was turned away: fewer are to ask, for a while.
        case refused
        /// The registry sends no ranges.
        case useless
    }

    /// Fetches what is missing, by more and more requests as long as each of them is slow, and verifies the whole.
    ///
    /// - Returns: false where the rest has to be fetched by one request after the other: the registry sends no ranges, or
    ///   what it sent in ranges was wrong.
    func runInPieces() async throws -> Bool {
        try await introduce()
        do {
            try await fetchInPieces()
            try download.finish()
            return true
        } catch is BlobDownload.RangeRefused {
            download.fetchRestAlone()
        } catch is BlobDownload.PrefixDamaged {
            download.fetchRestAlone()
        } catch let error as RegistryError where error.isDigestMismatch {
            // Whoever sends wrong ranges may send the whole right.
            download.fetchRestAlone()
        }
        return false
    }

    /// Asks for something small first: all others wait for the end of the first request to a registry, which is not to be
    /// one for gigabytes.
    private func introduce() async throws {
        guard let repository, try await !registry.authenticator.isKnown(context) else { return }
        do {
            _ = try await client.hasBlob(blob, in: repository)
        } catch let error as RegistryError where error.status != nil {
            // It may let us have the blob all the same.
        }
    }

    private func fetchInPieces() async throws {
        try await withThrowingTaskGroup(of: Event.self) { group in
            group.addTask { try await fetchAsMain(beginningWith: 0) }
            group.addTask { try await tick() }
            var helpers = BlobHelpers(policy: client.configuration.ranges)
            var hasMain = true
            while let event = try await group.next(), !download.isWhole {
                switch event {
                case .tick:
                    let hasSlots = registry.largeSlots.hasFree && registry.slots.hasFree
                    for _ in 0..<helpers.additionalCount(for: download, hasSlots: hasSlots) {
                        group.addTask { .helperEnded(try await fetchAsHelper()) }
                    }
                    group.addTask { try await tick() }
                case .mainEnded: hasMain = false
                case .helperEnded(let end): helpers.noteEnd(end)
                }
                if !hasMain, download.hasRest {
                    hasMain = true
                    group.addTask { try await fetchAsMain() }
                }
            }
            group.cancelAll()
        }
    }

    private func tick() async throws -> Event {
        try await Task.sleep(for: client.configuration.ranges.interval)
        return .tick
    }

    /// Fetches pieces, each tried as often as anything else, until there is none.
    private func fetchAsMain(beginningWith first: Int? = nil) async throws -> Event {
        var next = first ?? download.claim()
        while let piece = next {
            try await client.retrying(registry, context, reached: download.position(of: piece)) {
                if download.isSpoiled || download.missingCount(of: piece) > 0 { try await request(piece: piece) }
            }
            try await download.catchUp()
            next = download.claim()
        }
        return .mainEnded
    }

    /// Fetches pieces, until there is none or one is refused.
    private func fetchAsHelper() async throws -> HelpEnd {
        while true {
            // First the slot: a piece that waits for one would keep what follows it from being digested.
            let end = try await registry.largeSlots.withSlot { () -> HelpEnd? in
                guard let piece = download.claim() ?? download.claimProbe() else { return .idle }
                return try await help(with: piece)
            }
            try await download.catchUp()
            if let end { return end }
        }
    }

    /// Fetches a piece, or what comes of it at once.
    ///
    /// - Returns: how the help ends; nil where it goes on.
    private func help(with piece: Int) async throws -> HelpEnd? {
        let (missing, wasProbe) = (download.missingCount(of: piece), download.isProbe(piece))
        let failure: any Error
        do {
            try await requestAtOnce(piece: piece)
            // The first request may have come as far meanwhile: then it needs no help.
            return wasProbe && download.isSingle ? .idle : nil
        } catch let error as BlobDownload.RangeRefused {
            failure = error
        } catch let error as RegistryError {
            failure = error
        } catch let error as HostGates.Closed {
            failure = error
        }
        if download.isProbe(piece) {
            // Nothing is lost, and the first request goes on alone.
            download.dropProbe()
            return failure is BlobDownload.RangeRefused ? .useless : failure is HostGates.Closed ? .idle : .refused
        }
        if failure is BlobDownload.RangeRefused { throw failure }
        let gain = missing - download.missingCount(of: piece)
        download.release(piece)
        if failure is HostGates.Closed { return .idle }
        // A connection that breaks now and then is still help.
        return gain >= client.configuration.ranges.pieceByteCount / 4 ? nil : .refused
    }
}

/// How many requests help with a blob besides the main one, and how many may.
struct BlobHelpers {
    /// How long fewer are asked than there may be.
    private static let recoveryTime = Duration.seconds(30)
    /// How long it takes at most to see whether more requests bring more.
    private static let trialTime = Duration.seconds(2)

    private let policy: RangePolicy
    private var count = 0
    private var limit: Int
    private var lastReduction = ContinuousClock.now
    private var isUseless = false
    private var last = (time: ContinuousClock.now, received: Int64(0))
    /// When there came to be more, how much had come by then, and what all together brought before, in bytes a second.
    private var trial: (start: ContinuousClock.Instant, received: Int64, rate: Double)?

    init(policy: RangePolicy) {
        self.policy = policy
        limit = policy.requestLimit
    }

    mutating func noteEnd(_ end: BlobFetch.HelpEnd) {
        count -= 1
        switch end {
        case .idle: break
        // As many as were served.
        case .refused: reduce(to: count + 1)
        case .useless: isUseless = true
        }
    }

    private mutating func reduce(to count: Int) {
        limit = max(1, min(limit, count))
        lastReduction = .now
    }

    /// How many more are to help now: as many again, where each is slow and more have brought more, as long as there are
    /// slots.
    mutating func additionalCount(for download: BlobDownload, hasSlots: Bool) -> Int {
        let (now, received) = (ContinuousClock.now, download.receivedCount)
        var rate = Double(received - last.received) / ((now - last.time) / .seconds(1))
        last = (now, received)
        let requestCount = count + 1
        if let trial {
            // Over all of it: a moment says little.
            rate = Double(received - trial.received) / ((now - trial.start) / .seconds(1))
            if rate > trial.rate * 1.2, now - trial.start >= policy.interval * 2 {
                self.trial = nil
            } else if now - trial.start > Self.trialTime {
                // The line is full.
                reduce(to: requestCount)
                self.trial = nil
            } else {
                return 0
            }
        }
        if limit < policy.requestLimit, now - lastReduction > Self.recoveryTime {
            limit += 1
            lastReduction = now
        }
        guard !isUseless, rate / Double(requestCount) < policy.fullRate, hasSlots else { return 0 }
        // It has to be known first whether the registry sends ranges.
        let most = download.isSingle ? (count == 0 ? 1 : 0) : download.hasRest ? requestCount : 0
        let added = max(0, min(most, limit - requestCount))
        if added > 0 { trial = (now, received, rate) }
        count += added
        return added
    }
}

extension RegistryError {
    /// Whether bytes came that are others than they should be.
    var isDigestMismatch: Bool {
        if case .digestMismatch = code { true } else { false }
    }
}
