import OCI

/// What a series of requests to a repository is for: one token is to do for all of them.
package enum Access: Sendable {
    case pull
    case push
    case delete

    func scope(of repository: Repository) -> String {
        switch self {
        case .pull: Scope.pull(repository)
        case .push: Scope.push(repository)
        case .delete: Scope.delete(repository)
        }
    }
}

/// What a request needs to be allowed.
///
/// Spec: distribution "Token Scope Documentation".
enum Scope {
    static let catalog = "registry:catalog:*"

    static func pull(_ repository: Repository) -> String { "repository:\(repository.path):pull" }

    static func push(_ repository: Repository) -> String { "repository:\(repository.path):pull,push" }

    static func delete(_ repository: Repository) -> String { "repository:\(repository.path):pull,delete" }

    /// Whether one of the scopes has the name of another, and all its actions.
    static func covers(_ scopes: [String], _ other: String) -> Bool {
        func parts(_ scope: String) -> (name: Substring, actions: Set<Substring>) {
            let colon = scope.lastIndex(of: ":") ?? scope.startIndex
            return (scope[..<colon], Set(scope[colon...].dropFirst().split(separator: ",")))
        }
        let other = parts(other)
        return scopes.map(parts).contains { $0.name == other.name && $0.actions.isSuperset(of: other.actions) }
    }
}
