import ArgumentParser
import Drayage

/// How files are read that may be other programs'.
struct ReadingArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The directory in which a compressed file is unpacked, for as long as it is read; without it, beside the file.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var spool: String?

    @Option(
        help: ArgumentHelp(
            """
            What an image is called that the file gives only a tag for a name, or none: a repository, with a tag for one \
            that has none.
            """,
            valueName: "reference"
        )
    )
    var name: String?

    /// The options.
    ///
    /// - Throws: `ValidationError` for what is no reference.
    func options() throws -> ReadingOptions {
        var options = ReadingOptions()
        options.spoolDirectory = spool
        do {
            options.imageName = try name.map { try Reference(parsing: $0) }
        } catch {
            throw ValidationError("--name: \(error)")
        }
        guard options.imageName?.digest == nil else {
            throw ValidationError("--name takes a repository and a tag, not a digest")
        }
        return options
    }
}
