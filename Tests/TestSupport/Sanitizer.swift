import Foundation

/// What watches the tests while they run, if anything does: `make sanitize` builds them so.
package enum Sanitizer: String, CaseIterable, Sendable {
    case thread
    case address

    /// The one that the tests were built with; nil without any.
    ///
    /// What a process that is watched has in memory is mostly the sanitizer's: what it knows of every byte, and what was
    /// freed and is kept to find who uses it still.
    package static let current = allCases.first { dlsym(nil, $0.symbol) != nil }

    /// What every program that was built with it defines.
    package var symbol: String {
        switch self {
        case .thread: "__tsan_init"
        case .address: "__asan_init"
        }
    }
}
