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

    /// Whether nothing was given.
    var areEmpty: Bool { references.isEmpty && file.isEmpty }

    /// The references of all lists.
    ///
    /// - Throws: `DrayageError` for what cannot be read or is no reference.
    func parsed() throws -> [Reference] {
        var list = ImageList()
        for reference in references { list.add(argument: reference) }
        for name in file { try read(name, into: &list) }
        return try list.checked()
    }

    /// The references as they were written, of lists of which none is empty.
    ///
    /// - Throws: `DrayageError` for what cannot be read or is no reference, `ValidationError` for a file without any.
    func entries() throws -> [ImageList.Entry] {
        var arguments = ImageList()
        for reference in references { arguments.add(argument: reference) }
        let lists = try file.map { name in
            var list = ImageList()
            try read(name, into: &list)
            // A list that something failed to fill must not pass for one that requires nothing.
            guard !list.isEmpty else {
                throw ValidationError("\(name.printable) holds no reference, so it requires nothing")
            }
            return list
        }
        return try ((references.isEmpty ? [] : [arguments]) + lists).flatMap { try $0.checkedEntries() }
    }

    private func read(_ name: String, into list: inout ImageList) throws {
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
}

/// A list of images that cannot be read.
struct ListFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the list \(path): \(reason)" }
}
