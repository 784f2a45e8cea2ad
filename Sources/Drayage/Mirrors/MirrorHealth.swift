import RegistryClient
import Synchronization

/// Asks places in their order, and remembers which mirrors are of no use.
final class MirrorHealth: Sendable {
    /// What is known of a host, or of a location there.
    private struct Health {
        /// The failures in a row that another question would meet as well.
        var streak = 0
        /// Why it is not asked any more.
        var final: RegistryError?
    }

    /// What failed at a location otherwise than by not being there.
    private struct Trouble {
        let first: RegistryError
        var count = 1
    }

    private struct State {
        var hosts: [String: Health] = [:]
        var locations: [RegistryNamespace: Health] = [:]
        var troubles: [RegistryNamespace: Trouble] = [:]

        func final(_ place: Place, _ name: RegistryNamespace) -> RegistryError? {
            hosts[place.repository.registry]?.final ?? locations[name]?.final
        }
    }

    /// As often a mirror may keep us waiting in vain before it is not asked any more.
    private static let streakLimit = 4

    private let state = Mutex(State())

    /// Asks one place after the other until one has what is asked for.
    ///
    /// - Parameters:
    ///   - places: the places.
    ///   - question: asks one of them.
    /// - Returns: the first answer.
    /// - Throws: the `RegistryError` of the first place that is no mirror, ``PlacesError`` where mirrors have failed as
    ///   well; what else a question throws, at once.
    func ask<Answer>(_ places: [Place], _ question: (Place) async throws -> Answer) async throws -> Answer {
        var failures = PlaceFailures()
        for place in places {
            if let known = finalFailure(of: place) {
                failures.note(known, at: place)
                continue
            }
            do {
                let answer = try await question(place)
                note(nil, of: place)
                return answer
            } catch let error as RegistryError {
                note(error, of: place)
                failures.note(error, at: place)
            }
        }
        throw failures.error
    }

    /// Why a mirror is not asked any more.
    func finalFailure(of place: Place) -> RegistryError? {
        guard let name = place.mirror else { return nil }
        return state.withLock { $0.final(place, name) }
    }

    /// Takes note of how a question to a place ended.
    func note(_ error: RegistryError?, of place: Place) {
        guard let name = place.mirror else { return }
        let host = place.repository.registry
        state.withLock { state in
            guard let error else {
                state.hosts[host]?.streak = 0
                state.locations[name]?.streak = 0
                return
            }
            // A connection is the host's; what a host answers is about a part of it, perhaps another's registry behind it.
            if error.isOfHost {
                Self.count(error, isFinal: error.concernsWholeRegistry, in: &state.hosts[host, default: Health()])
            } else {
                state.hosts[host]?.streak = 0
                Self.count(error, isFinal: false, in: &state.locations[name, default: Health()])
            }
            // A mirror need not have everything.
            guard error.code != .notFound else { return }
            guard state.troubles[name] == nil else {
                state.troubles[name]?.count += 1
                return
            }
            state.troubles[name] = Trouble(first: error)
        }
    }

    private static func count(_ error: RegistryError, isFinal: Bool, in health: inout Health) {
        health.streak = error.keepsWaiting ? health.streak + 1 : 0
        if isFinal || health.streak >= streakLimit { health.final = error }
    }

    /// A line about each mirror that failed otherwise than by not having something.
    var notes: [String] {
        state.withLock { state in
            state.troubles.sorted { $0.key.description < $1.key.description }.map { name, trouble in
                let isDown = (state.hosts[name.registry]?.final ?? state.locations[name]?.final) != nil
                let rest = isDown ? "it was not asked any more" : Self.count(trouble.count - 1)
                return "the mirror \(name) failed: \(trouble.first)" + (rest.map { "; \($0)" } ?? "")
            }
        }
    }

    private static func count(_ more: Int) -> String? { more > 0 ? "and \(more) more" : nil }
}

extension RegistryError {
    /// Whether it is about the connection, and not what was answered.
    fileprivate var isOfHost: Bool { concernsWholeRegistry || code == .timeout || code == .connectionLost }

    /// Whether it took waits, or a busy registry, to find out, so that the next question may fare as badly.
    fileprivate var keepsWaiting: Bool {
        switch code {
        case .timeout, .connectionLost: true
        default: status.map { $0 == 429 || $0 >= 500 } ?? false
        }
    }
}

/// Why something could be had at no place so far.
private struct PlaceFailures {
    private var source: RegistryError?
    private var mirrors: [RegistryError] = []
    private var names: Set<RegistryNamespace> = []

    mutating func note(_ error: RegistryError, at place: Place) {
        if let name = place.mirror {
            if names.insert(name).inserted { mirrors.append(error) }
        } else {
            // Another repository might have had it; what is told is why the first did not.
            source = source ?? error
        }
    }

    var error: any Error {
        guard let source else { return DrayageError(.other, "there is no place to ask") }
        return mirrors.isEmpty ? source : PlacesError(source: source, mirrors: mirrors)
    }
}

/// Something that neither its source nor a mirror gave.
struct PlacesError: Error, CustomStringConvertible {
    /// Why the source did not.
    let source: RegistryError
    /// Why mirrors did not, one failure of each.
    let mirrors: [RegistryError]

    /// One line: the source's failure, then those of the mirrors.
    var description: String {
        let noun = mirrors.count == 1 ? "the mirror" : "the mirrors"
        return "\(source); \(noun) before it failed too: \(mirrors.map(\.description).joined(separator: "; "))"
    }
}
