import ArgumentParser
import Drayage

/// Which platforms of images are taken.
struct PlatformArguments: ParsableArguments {
    @Option(
        name: [.customShort("p"), .customLong("platform")],
        help: ArgumentHelp(
            "Take this platform of each image alone, and what is attested of it. Repeatable; without it, all are taken.",
            valueName: "os/arch[/variant]"
        )
    )
    var platforms: [PlatformList] = []

    @Option(
        help: """
            What becomes of an index of which platforms are left out: strip makes a complete smaller one, which has \
            another digest; keep leaves it as it is, which many registries refuse.
            """,
        completion: .list(SparseIndexPolicy.allCases.map(\.rawValue)),
        transform: { text in
            guard let policy = SparseIndexPolicy(rawValue: text) else {
                throw ValidationError("--sparse takes strip or keep")
            }
            return policy
        }
    )
    var sparse: SparseIndexPolicy?

    func validate() throws {
        guard sparse == nil || !platforms.isEmpty else {
            throw ValidationError("--sparse is about what -p leaves out; give -p as well")
        }
    }

    func apply(to options: inout Synchronizer.Options) {
        options.platforms = platforms.flatMap(\.platforms)
        options.sparseIndexes = sparse ?? .strip
    }
}

/// Platforms with commas between.
struct PlatformList: ExpressibleByArgument {
    let platforms: [PlatformSelector]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        platforms = parts.compactMap { PlatformSelector(parsing: String($0)) }
        guard platforms.count == parts.count else { return nil }
    }
}
