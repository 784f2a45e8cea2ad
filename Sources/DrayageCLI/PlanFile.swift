import Drayage
import FoundationEssentials

/// A plan to prune, as a file.
enum PlanFile {
    static func write(_ plan: PrunePlan, to path: String) throws {
        do {
            try JSONText.encode(plan).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw PlanFileError(operation: "writing", path: path, reason: "\(error)")
        }
    }

    static func read(_ path: String) throws -> PrunePlan {
        do {
            return try JSONDecoder().decode(
                PrunePlan.self,
                from: Data(try Input.read(file: path, limit: Input.planLimit))
            )
        } catch let error as Input.ReadError {
            throw PlanFileError(operation: "reading", path: path, reason: "\(error)")
        } catch let error as DecodingError {
            throw PlanFileError(
                operation: "reading",
                path: path,
                reason: "it is no plan of drayage prune: \(error.place)"
            )
        }
    }
}

/// A plan that cannot be read or written.
struct PlanFileError: Error, CustomStringConvertible {
    let operation: String
    let path: String
    let reason: String

    var description: String { "\(operation) the plan \(path): \(reason)".printable }
}

extension DecodingError {
    /// Where a document is not what it should be, and how.
    fileprivate var place: String {
        let context: Context
        switch self {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found): context = found
        case .keyNotFound(let key, let found): return Self.path(found.codingPath + [key]) + " is missing"
        @unknown default: return "it cannot be decoded"
        }
        let path = Self.path(context.codingPath)
        return path.isEmpty ? "it is not JSON" : "\(path): \(context.debugDescription)"
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
}
