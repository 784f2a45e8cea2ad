import ArgumentParser
import Drayage

/// The images that a command is about.
struct ImageListArguments: ParsableArguments {
    @Argument(help: "References to images.")
    var references: [String] = []

    @Option(
        name: [.customShort("f"), .long],
        help: "A file with one reference a line and # before comments; - is stdin. Repeatable.",
        completion: .file()
    )
    var file: [String] = []

    /// The references of all lists.
    ///
    /// - Throws: `DrayageError` for what cannot be read or is no reference.
    func parsed() throws -> [Reference] {
        var list = ImageList()
        for reference in references { list.add(argument: reference) }
        for name in file {
            let text: [UInt8]
            do {
                text = try name == "-" ? Input.read() : Input.read(file: name)
            } catch {
                throw ListFileError(path: name, reason: "\(error)")
            }
            guard let decoded = String(validating: text, as: UTF8.self) else {
                throw ListFileError(path: name, reason: "it is not text in UTF-8")
            }
            list.add(contentsOf: decoded, name: name == "-" ? "stdin" : name)
        }
        return try list.checked()
    }
}

/// A list of images that cannot be read.
struct ListFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the list \(path): \(reason)" }
}
