/// A repository where something may be had.
struct Place: Hashable, Sendable {
    let repository: Repository
    /// Whether it stands in for the repository that is meant.
    let isMirror: Bool
    /// Whether its certificate is not verified.
    let isInsecure: Bool

    init(_ repository: Repository, isMirror: Bool = false, isInsecure: Bool = false) {
        self.repository = repository
        self.isMirror = isMirror
        self.isInsecure = isInsecure
    }
}

/// The places of one repository, in the order in which they are asked: mirrors, and at the end where it is.
struct Origin: Hashable, Sendable {
    let places: [Place]

    /// Puts places together; each repository counts where it comes first, but the source is always the last.
    init(mirrors: [Place], source: Place) {
        var known: Set<Repository> = [source.repository]
        places = mirrors.filter { known.insert($0.repository).inserted } + [source]
    }
}

extension [Origin] {
    /// All places, each once.
    var places: [Place] {
        var known: Set<Repository> = []
        return flatMap(\.places).filter { known.insert($0.repository).inserted }
    }
}
