import OCI

/// What a series of requests to a repository is for: one token is to do for all of them.
package enum Access: Sendable {
    case pull
    case push
    case delete

    func scope(of repository: Repository) -> Scope {
        switch self {
        case .pull: .pull(repository)
        case .push: .push(repository)
        case .delete: .delete(repository)
        }
    }
}

/// What a request needs to be allowed.
///
/// Spec: distribution "Token Scope Documentation".
struct Scope: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The kind of thing: `repository`, `registry`; a class, as in `repository(plugin)`, belongs to it.
    let type: String
    /// Its name.
    let name: String
    /// What is to be done with it.
    private(set) var actions: Set<String>

    /// `type:name:actions`, the actions in the order in which everybody writes them.
    var description: String {
        let known = ["pull", "push", "delete"]
        let texts = known.filter(actions.contains) + actions.subtracting(known).sorted()
        return "\(type):\(name):\(texts.joined(separator: ","))"
    }

    private init(type: String, name: String, actions: Set<String>) {
        (self.type, self.name, self.actions) = (type, name, actions)
    }

    /// Reads `type:name:action,…`; nil where it is no such thing.
    ///
    /// A name may hold colons, as a host with a port does.
    init?(parsing text: Substring) {
        let bytes = text.utf8
        guard let first = bytes.firstIndex(of: UInt8(ascii: ":")), let last = bytes.lastIndex(of: UInt8(ascii: ":")),
            first < last
        else { return nil }
        type = String(text[..<first])
        name = String(text[text.utf8.index(after: first)..<last])
        actions = Set(text[text.utf8.index(after: last)...].split(separator: ",").map(String.init))
        guard !type.isEmpty, !name.isEmpty, !actions.isEmpty else { return nil }
    }

    static let catalog = Scope(type: "registry", name: "catalog", actions: ["*"])

    static func pull(_ repository: Repository) -> Scope {
        Scope(type: "repository", name: repository.path, actions: ["pull"])
    }

    static func push(_ repository: Repository) -> Scope {
        Scope(type: "repository", name: repository.path, actions: ["pull", "push"])
    }

    static func delete(_ repository: Repository) -> Scope {
        Scope(type: "repository", name: repository.path, actions: ["pull", "delete"])
    }

    static func < (one: Scope, other: Scope) -> Bool { one.description < other.description }

    /// The scopes with all actions of one name in one of them, in an order that does not depend on theirs.
    static func merged(_ scopes: [Scope]) -> [Scope] {
        var result: [Scope] = []
        for scope in scopes {
            if let index = result.firstIndex(where: { $0.type == scope.type && $0.name == scope.name }) {
                result[index].actions.formUnion(scope.actions)
            } else {
                result.append(scope)
            }
        }
        return result.sorted()
    }
}

extension [Scope] {
    /// The repository whose credentials count: the one that the request is for, which is named first.
    var path: String? { first { $0.type == "repository" }?.name }
}
