import NIOHTTP1
import OCI

/// Fetches one blob from one repository, by one request after the other or by several at once.
struct BlobFetch: Sendable {
    let client: RegistryClient
    let download: BlobDownload
    let blob: Descriptor
    let repository: Repository
    /// Whether it needs a slot of those for large blobs.
    let isLarge: Bool
    let context: RequestContext

    private var registry: Registry { client.registry(repository.registry) }

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
        do {
            // Through the registry each time: where it redirects to is good for a while only.
            let (request, response) = try await client.attempt(
                .GET,
                "/v2/\(repository.path)/blobs/\(blob.digest)",
                to: registry,
                headers: asked.headers,
                scopes: [Scope.pull(repository)],
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
        /// Who helped has found nothing more to do; or it was turned away, and fewer are to ask.
        case helperEnded(wasRefused: Bool)
    }

    /// Fetches what is missing, by more and more requests as long as each of them is slow, and verifies the whole.
    ///
    /// - Returns: false where the rest has to be fetched by one request after the other: the registry sends no ranges, or
    ///   what it sent in ranges was wrong.
    func runInPieces() async throws -> Bool {
        // All others wait for the end of the first request to a registry, which is not to be one for gigabytes.
        if try await !registry.authenticator.isKnown(context) { _ = try await client.hasBlob(blob, in: repository) }
        do {
            try await withThrowingTaskGroup(of: Event.self) { group in
                group.addTask { try await fetchAsMain(beginningWith: 0) }
                group.addTask { try await tick() }
                var state = Helpers(limit: client.configuration.ranges.requestLimit)
                while let event = try await group.next(), !download.isWhole {
                    switch event {
                    case .tick:
                        for _ in 0..<state.additionalCount(download, registry, client.configuration.ranges) {
                            group.addTask { try await fetchAsHelper() }
                        }
                        group.addTask { try await tick() }
                    case .mainEnded: state.hasMain = false
                    case .helperEnded(let wasRefused): state.noteEnd(wasRefused: wasRefused)
                    }
                    if !state.hasMain, download.hasRest {
                        state.hasMain = true
                        group.addTask { try await fetchAsMain() }
                    }
                }
                group.cancelAll()
            }
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

    private func tick() async throws -> Event {
        try await Task.sleep(for: client.configuration.ranges.interval)
        return .tick
    }

    /// Fetches pieces, each tried as often as anything else, until there is none.
    private func fetchAsMain(beginningWith first: Int? = nil) async throws -> Event {
        var next = first ?? download.claim()
        while let piece = next {
            try await client.retrying(registry, context, reached: download.position(of: piece)) {
                if !download.isWhole(piece) { try await request(piece: piece) }
            }
            try await download.catchUp()
            next = download.claim()
        }
        return .mainEnded
    }

    /// Fetches pieces, until there is none or one is refused.
    private func fetchAsHelper() async throws -> Event {
        while true {
            // First the slot: a piece that waits for one would keep what follows it from being digested.
            let isDone = try await registry.largeSlots.withSlot { () -> Event? in
                guard let piece = download.claim() ?? download.claimProbe() else {
                    return .helperEnded(wasRefused: false)
                }
                return try await help(with: piece)
            }
            if let isDone { return isDone }
            try await download.catchUp()
        }
    }

    /// Fetches a piece, or what comes of it at once.
    ///
    /// - Returns: how the help ends; nil where it goes on.
    private func help(with piece: Int) async throws -> Event? {
        let (start, wasProbe) = (download.position(of: piece), download.isProbe(piece))
        do {
            try await requestAtOnce(piece: piece)
            // The first request may have come as far meanwhile: then it needs no help.
            return wasProbe && download.isSingle ? .helperEnded(wasRefused: false) : nil
        } catch let error
            where error is BlobDownload.RangeRefused || error is RegistryError || error is HostGates.Closed
        {
            if download.isProbe(piece) {
                // Nothing is lost, and the first request goes on alone.
                download.dropProbe()
                return .helperEnded(wasRefused: true)
            }
            if error is BlobDownload.RangeRefused { throw error }
            download.release(piece)
            return download.position(of: piece) > start ? nil : .helperEnded(wasRefused: true)
        }
    }

    /// How many requests there are besides the main one, and how many there may be.
    private struct Helpers {
        var hasMain = true
        private var count = 0
        private var limit: Int
        private var lastCount: Int64 = 0
        private var lastTick = ContinuousClock.now

        /// - Parameter limit: the most requests, the main one among them.
        init(limit: Int) { self.limit = limit }

        mutating func noteEnd(wasRefused: Bool) {
            count -= 1
            // As many as were served.
            if wasRefused { limit = min(limit, count + 1) }
        }

        /// How many more are to help now: as many again, where each is slow, as long as there are slots.
        mutating func additionalCount(_ download: BlobDownload, _ registry: Registry, _ policy: RangePolicy) -> Int {
            let (now, received) = (ContinuousClock.now, download.receivedCount)
            let rate = Double(received - lastCount) / ((now - lastTick) / .seconds(1))
            (lastTick, lastCount) = (now, received)
            let requestCount = count + 1
            guard rate / Double(requestCount) < policy.fullRate, registry.largeSlots.hasFree else { return 0 }
            // It has to be known first whether the registry sends ranges.
            let most = download.isSingle ? (count == 0 ? 1 : 0) : download.hasRest ? requestCount : 0
            let added = min(most, limit - requestCount)
            count += max(0, added)
            return max(0, added)
        }
    }
}

extension BlobDownload {
    /// Whether every byte of a piece is there.
    fileprivate func isWhole(_ piece: Int) -> Bool { missingCount(of: piece) == 0 }
}

extension RegistryError {
    /// Whether bytes came that are others than they should be.
    fileprivate var isDigestMismatch: Bool {
        if case .digestMismatch = code { true } else { false }
    }
}
