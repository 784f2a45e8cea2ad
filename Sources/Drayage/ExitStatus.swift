import ImageLayout
import RegistryClient

/// How a command says with its exit code how it ended.
public enum ExitStatus: Int32, Sendable {
    /// All was done.
    case done = 0
    /// It failed.
    case failed = 1
    /// Part was done; the report says which.
    case partial = 2
    /// Content is not what its digest says.
    case unverified = 3
    /// Not authorised.
    case unauthorized = 4
    /// The command is wrong as it stands.
    case usage = 64
    /// It was interrupted.
    case interrupted = 130

    /// The exit code that an error gives.
    public init(of error: any Error) {
        self =
            switch error {
            case is CancellationError: .interrupted
            case let error as RegistryError: Self.of(error.code)
            case let error as PlacesError: Self.of(error.source.code)
            case let error as LayoutError: error.isContentDamage ? .unverified : .failed
            case let error as BlobSourceFailure: ExitStatus(of: error.underlying)
            case let error as DrayageError: Self.of(error)
            case is ReferenceError: .usage
            default: .failed
            }
    }

    /// Which of several failures names the exit code: the one that the user must act on first.
    var rank: Int {
        switch self {
        case .done: 0
        case .partial: 1
        case .failed: 2
        case .usage: 3
        case .unauthorized: 4
        case .unverified: 5
        case .interrupted: 6
        }
    }

    private static func of(_ code: RegistryError.Code) -> ExitStatus {
        switch code {
        case .unauthorized, .denied: .unauthorized
        case .sizeMismatch, .digestMismatch: .unverified
        default: .failed
        }
    }

    private static func of(_ error: DrayageError) -> ExitStatus {
        switch error.code {
        case .usage, .invalidList, .emptyList: .usage
        case .unverified: .unverified
        default: error.underlying.map { ExitStatus(of: $0) } ?? .failed
        }
    }
}
