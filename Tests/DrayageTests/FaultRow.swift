import Drayage
import TestSupport
import Testing

/// A fault of the table.
struct FaultRow: Sendable, CustomTestStringConvertible {
    /// What comes of a fault that never ends.
    enum Ending: Sendable, Equatable {
        case whole
        /// An error that names this cause, after so many attempts.
        case failure(String, attempts: Int = 2)
    }

    /// The name in the table.
    let name: String
    /// The only requests that can have it; nil are all.
    var step: FaultStep?
    /// Whether it is found by a time-out.
    var stalls = false
    /// Whether nobody can be told of it.
    var refuses = false
    /// What happens to a request.
    let fault: @Sendable (Request) -> FaultProxy.Fault
    /// What comes of it when it happens to each request of a kind; nil is
    /// not tried, because it takes too long or changes nothing.
    let ending: @Sendable (FaultStep) -> Ending?

    init(
        _ name: String,
        _ fault: FaultProxy.Fault,
        only step: FaultStep? = nil,
        stalls: Bool = false,
        refuses: Bool = false,
        _ ending: @escaping @Sendable (FaultStep) -> Ending?
    ) {
        (self.name, self.step, self.stalls, self.refuses, self.ending) = (name, step, stalls, refuses, ending)
        self.fault = { _ in fault }
    }

    init(
        _ name: String,
        by fault: @escaping @Sendable (Request) -> FaultProxy.Fault,
        _ ending: @escaping @Sendable (FaultStep) -> Ending?
    ) {
        (self.name, self.fault, self.ending) = (name, fault, ending)
    }

    var testDescription: String { name }

    /// Lets a job find it soon.
    func adjust(_ connections: inout ConnectionOptions) {
        if stalls { connections.idleTimeout = .seconds(2) }
    }
}

/// A fault that happens to each request of a job as often as is said, or to those that can have it.
struct FaultAtFirst: Sendable, CustomTestStringConvertible {
    let row: FaultRow
    let job: FaultJob
    let times: Int

    static let all = FaultJob.allCases.flatMap { job in
        let rows = (FaultRow.passing + FaultRow.all).filter { $0.step.map { $0.job == job } ?? true }
        return rows.map { Self(row: $0, job: job, times: 1) }
            + FaultRow.serverErrors.map { Self(row: $0, job: job, times: 3) }
    }

    var name: String { "\(row.name), \(times == 1 ? "once" : "three times")" }
    var testDescription: String { "\(job.rawValue): \(name)" }

    /// What happens to a request that was asked so often.
    func fault(_ request: Request, _ count: Int) -> FaultProxy.Fault? {
        count <= times && row.step?.includes(request) ?? true ? row.fault(request) : nil
    }
}

/// A fault that happens to each request of a kind.
struct EndlessFault: Sendable, CustomTestStringConvertible {
    let row: FaultRow
    let step: FaultStep
    let ending: FaultRow.Ending

    static let all = (FaultRow.lasting + FaultRow.refusals + FaultRow.all).flatMap { row in
        FaultStep.allCases.filter { row.step == nil || row.step == $0 }.compactMap { step in
            row.ending(step).map { Self(row: row, step: step, ending: $0) }
        }
    }

    var testDescription: String { "\(row.name), each \(step.rawValue)" }

    /// Whether the registry does what it is asked, and only its answer is another.
    func reachesRegistry(_ request: Request) -> Bool {
        switch row.fault(request) {
        case .transfer, .dripping, .shortened, .flipped, .http10, .altered: true
        default: false
        }
    }
}
