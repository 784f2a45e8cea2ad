extension FaultProxy {
    /// Lets so many of a hundred requests fail, each in one of the ways that pass when a client tries again.
    ///
    /// What happens depends on the seed, on the request and on how often the same was asked, not on the order in which
    /// requests come: what a run did can be done again.
    ///
    /// - Parameters:
    ///   - seed: where to begin.
    ///   - percentage: how many of a hundred requests have a fault.
    ///   - fault: makes the fault of a request.
    /// - Returns: the script.
    package static func random(
        seed: UInt64,
        percentage: Int,
        fault: @escaping @Sendable (Request, inout SplitMix64) -> Fault = Fault.random
    ) -> Script {
        { request, count in
            var generator = SplitMix64(seed: hash("\(key(of: request)) \(count)", seed: seed))
            return Int.random(in: 0..<100, using: &generator) < percentage ? fault(request, &generator) : nil
        }
    }

    /// FNV-1a: Swift's own hash is another in every process.
    private static func hash(_ text: String, seed: UInt64) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

extension FaultProxy.Fault {
    /// One of the faults that pass when a client tries again, and that keep it waiting for a second at most.
    package static func random(for request: Request, using generator: inout SplitMix64) -> Self {
        // As often among the first bytes, where manifests end, as among the thousands.
        let place = Int.random(in: 0..<(1 << Int.random(in: 1...17, using: &generator)), using: &generator)
        var choices = connectionFaults + statuses.map { status($0) }
        let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
        if length > 0 {
            choices += [.resetRequest(after: place % length), .drippingRequest(byteCount: 64 << 10, every: pause)]
        }
        if request.method == "GET" {
            choices += [
                .transfer(.reset(after: place)), .transfer(.truncated(after: place)), .shortened(to: place),
                .flipped(at: place), .dripping(byteCount: 64 << 10, every: pause),
            ]
        }
        return choices[Int.random(in: choices.indices, using: &generator)]
    }

    private static let pause = Duration.milliseconds(2)
    private static let statuses = [408, 425, 500, 502, 503, 504]

    private static let connectionFaults: [Self] = [
        .refused(for: .milliseconds(100)),
        .earlyAnswer(Answer(transfer: .resetBeforeHead)),
        .transfer(.resetBeforeHead), .transfer(.closedBeforeHead), .transfer(.reset(after: 0)),
        .http10, .contentDigest("sha256:" + String(repeating: "0", count: 64)),
        .status(429, retryAfter: .seconds(1)), .status(429, retryAfter: .date(secondsFromNow: 1)),
    ]
}
