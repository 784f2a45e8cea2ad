import RegistryClient

/// What the user's files and the command line say of where repositories are asked for.
struct MirrorRules: Sendable {
    /// The mirrors of the command line, which come first.
    let named: [RegistryMirror]
    /// The rules of the files.
    let rules: [RegistryRule]

    /// Finds the places of a reference.
    ///
    /// - Throws: ``DrayageError`` where a file forbids it, or gives it a name that no repository can have.
    func origin(of reference: Reference) throws -> Origin {
        let repository = reference.repository
        let own = try named.compactMap { mirror in
            try mirror.prefix.remainder(of: repository).map {
                let mapped = try Self.map(reference, to: mirror.location, $0, by: "--mirror \(mirror)")
                return Place(mapped, mirror: mirror.location)
            }
        }
        guard let (rule, remainder) = rule(for: reference) else {
            return Origin(mirrors: own, source: Place(repository))
        }
        guard !rule.isBlocked else {
            throw DrayageError(.other, "\(reference): \(rule.path) blocks what begins with \(rule.prefix)")
        }
        let mirrors = try rule.mirrors.filter { $0.use.includes(reference) }.map { mirror in
            let mapped = try Self.map(reference, to: mirror.location, remainder, by: rule.path)
            return Place(mapped, mirror: mirror.location, isInsecure: mirror.isInsecure)
        }
        let source = try rule.location.map { try Self.map(reference, to: $0, remainder, by: rule.path) }
        return Origin(mirrors: own + mirrors, source: Place(source ?? repository, isInsecure: rule.isInsecure))
    }

    private func rule(for reference: Reference) -> (RegistryRule, remainder: Substring)? {
        var best: (rule: RegistryRule, remainder: Substring)?
        for rule in rules {
            guard let remainder = rule.prefix.remainder(of: reference) else { continue }
            if best.map({ $0.rule.prefix.isLess(than: rule.prefix) }) ?? true { best = (rule, remainder) }
        }
        return best
    }

    private static func map(
        _ reference: Reference,
        to location: RegistryNamespace,
        _ remainder: Substring,
        by author: String
    ) throws -> Repository {
        do {
            return try location.repository(remainder)
        } catch {
            throw DrayageError(.other, "\(reference): \(author) gives it no name in \(location)", underlying: error)
        }
    }
}

/// Where each of a number of references is asked for.
struct Routes: Sendable {
    private let origins: [Reference: Result<Origin, any Error>]
    /// The credential helpers that the files name.
    let credentialHelpers: CredentialHelpers

    /// Finds the places of references.
    init(_ references: [Reference], rules: MirrorRules, credentialHelpers: CredentialHelpers = .init()) {
        self.credentialHelpers = credentialHelpers
        var origins: [Reference: Result<Origin, any Error>] = [:]
        for reference in references { origins[reference] = Result { try rules.origin(of: reference) } }
        self.origins = origins
    }

    /// The places of a reference.
    ///
    /// - Throws: ``DrayageError`` where it may not be asked for.
    func origin(of reference: Reference) throws -> Origin {
        try origins[reference]?.get() ?? Origin(mirrors: [], source: Place(reference.repository))
    }

    private var places: [Place] { origins.values.flatMap { (try? $0.get())?.places ?? [] } }

    /// Tells a client of the hosts that will be asked, and of those whose certificates are not verified.
    func apply(to configuration: inout RegistryClient.Configuration) {
        let places = places
        // A certificate is a host's, whatever is asked for there.
        configuration.insecureRegistries += Set(places.filter(\.isInsecure).map(\.repository.registry)).sorted()
        configuration.registries = Set(places.map(\.repository.registry))
    }
}
