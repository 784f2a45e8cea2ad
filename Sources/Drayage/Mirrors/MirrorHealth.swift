import RegistryClient
import Synchronization

/// Asks places in their order, and remembers which mirrors are of no use.
final class MirrorHealth: Sendable {
    private struct Mirror {
        /// The first failure, and the first that says more than that something is not there.
        var failure: RegistryError?
        var trouble: RegistryError?
        var troubleCount = 0
        /// The failures in a row that another question would meet as well.
        var streak = 0
        var isDown = false
    }

    /// As often a mirror may keep us waiting in vain before it is not asked any more.
    private static let streakLimit = 4

    private let mirrors = Mutex<[String: Mirror]>([:])

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
            if let known = known(of: place) {
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
    private func known(of place: Place) -> RegistryError? {
        guard place.isMirror else { return nil }
        return mirrors.withLock { mirrors in
            mirrors[place.repository.registry].flatMap { $0.isDown ? $0.failure : nil }
        }
    }

    private func note(_ error: RegistryError?, of place: Place) {
        guard place.isMirror else { return }
        mirrors.withLock { mirrors in
            var mirror = mirrors[place.repository.registry] ?? Mirror()
            defer { mirrors[place.repository.registry] = mirror }
            guard let error else {
                mirror.streak = 0
                return
            }
            mirror.streak = error.keepsWaiting ? mirror.streak + 1 : 0
            if error.concernsWholeRegistry || mirror.streak >= Self.streakLimit {
                mirror.isDown = true
                mirror.failure = error
            }
            // A mirror need not have everything.
            guard error.code != .notFound else { return }
            mirror.trouble = mirror.trouble ?? error
            mirror.troubleCount += 1
        }
    }

    /// A line about each mirror that failed otherwise than by not having something.
    var notes: [String] {
        mirrors.withLock { $0 }.sorted { $0.key < $1.key }.compactMap { registry, mirror in
            guard let error = mirror.trouble else { return nil }
            let rest = mirror.isDown ? "it was not asked any more" : Self.count(mirror.troubleCount - 1)
            return "the mirror \(registry) failed: \(error)" + (rest.map { "; \($0)" } ?? "")
        }
    }

    private static func count(_ more: Int) -> String? { more > 0 ? "and \(more) more" : nil }
}

extension RegistryError {
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
    private var registries: Set<String> = []

    mutating func note(_ error: RegistryError, at place: Place) {
        if !place.isMirror {
            // Another repository might have had it; what is told is why the first did not.
            source = source ?? error
        } else if registries.insert(place.repository.registry).inserted {
            mirrors.append(error)
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
