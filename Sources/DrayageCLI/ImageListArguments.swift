import ArgumentParser
import Drayage

/// The images that a command is about.
struct ImageListArguments: ParsableArguments {
    @Argument(help: "References to images; app:* is all tags of app.")
    var references: [String] = []

    @OptionGroup var lists: ListFileArguments

    /// The files of lists.
    var file: [String] { lists.file }

    /// Whether nothing was given.
    var areEmpty: Bool { references.isEmpty && file.isEmpty }

    /// All lists as one.
    ///
    /// - Throws: `DrayageError` for what cannot be read.
    func list(ignoringUnparsed ignores: Bool = false) throws -> ImageList {
        try lists.list(references, ignoringUnparsed: ignores)
    }

    /// The references as they were written, of lists of which none is empty.
    ///
    /// - Throws: `DrayageError` for what cannot be read or is no reference, `ValidationError` for a file without any.
    func entries() throws -> [ImageList.Entry] {
        var arguments = ImageList()
        for reference in references { arguments.add(argument: reference) }
        let files = try file.map { name in
            var list = ImageList()
            try lists.read(name, into: &list)
            // A list that something failed to fill must not pass for one that requires nothing.
            guard !list.isEmpty else {
                throw ValidationError("\(name.printable) holds no reference, so it requires nothing")
            }
            return list
        }
        return try ((references.isEmpty ? [] : [arguments]) + files).flatMap { try $0.checkedEntries() }
    }
}

/// Files that name images.
struct ListFileArguments: ParsableArguments {
    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            """
            A file that names images: one reference a line, with # before comments; or YAML or JSON of Kubernetes (as helm \
            template writes it), a kustomization or a Compose file; or a directory of these. - is stdin. Repeatable.
            """,
            valueName: "file"
        ),
        completion: .file()
    )
    var file: [String] = []

    @Flag(help: "In YAML, take whatever else looks like a full reference too: in arguments, variables, annotations.")
    var guess = false

    func validate() throws {
        guard !guess || !file.isEmpty else { throw ValidationError("--guess is about the files of -f; give one") }
    }

    /// The references of arguments, and those of all files.
    ///
    /// - Throws: ``ListFileError`` for what cannot be read.
    func list(_ references: [String], ignoringUnparsed ignores: Bool) throws -> ImageList {
        var list = ImageList()
        for reference in references { list.add(argument: reference) }
        for name in file { try read(name, into: &list, ignoringUnparsed: ignores) }
        return list
    }

    /// Adds what a file or the files of a directory name.
    ///
    /// - Throws: ``ListFileError`` for what cannot be read.
    func read(_ name: String, into list: inout ImageList, ignoringUnparsed ignores: Bool = false) throws {
        for path in try ListFile.paths(at: name) {
            list.add(
                contentsOf: try ListFile.text(of: path),
                name: ListFile.name(of: path),
                finder: ImageFinder(guesses: guess),
                ignoringProblems: ignores
            )
        }
    }
}

/// What becomes of a value that should name an image and does not.
struct UnparsedArguments: ParsableArguments {
    @Flag(
        name: .customLong("ignore-unparsed"),
        help: "Go on without what should name an image in a file and does not, such as ${IMAGE}, and say so."
    )
    var areIgnored = false
}
