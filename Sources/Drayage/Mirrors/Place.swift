import RegistryClient

/// A repository where something may be had.
struct Place: Hashable, Sendable {
    let repository: Repository
    /// The mirror that it belongs to; nil where it is the repository that is meant.
    let mirror: RegistryNamespace?
    /// Whether its certificate is not verified.
    let isInsecure: Bool

    /// Whether it stands in for the repository that is meant.
    var isMirror: Bool { mirror != nil }

    init(_ repository: Repository, mirror: RegistryNamespace? = nil, isInsecure: Bool = false) {
        self.repository = repository
        self.mirror = mirror
        self.isInsecure = isInsecure
    }

    /// The client by which it is asked.
    func client(_ client: RegistryClient) -> RegistryClient { isMirror ? client.forMirrors : client }
}

/// The places of one repository, in the order in which they are asked: mirrors, and at the end where it is.
struct Origin: Hashable, Sendable {
    let places: [Place]

    /// The repository that is meant.
    var name: String { places.last?.repository.description ?? "" }

    /// Puts places together; each repository counts where it comes first, but the source is always the last.
    init(mirrors: [Place], source: Place) {
        var known: Set<Repository> = [source.repository]
        places = mirrors.filter { known.insert($0.repository).inserted } + [source]
    }

    private init() { places = [] }

    /// Of what is at hand: nobody is asked.
    static let nowhere = Origin()
}

extension [Origin] {
    /// All places, each once.
    var places: [Place] {
        // Nearly all blobs are of one repository.
        guard count > 1 else { return first?.places ?? [] }
        var known: Set<Repository> = []
        return flatMap(\.places).filter { known.insert($0.repository).inserted }
    }
}
