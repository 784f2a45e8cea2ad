import Drayage
import FoundationEssentials

/// Files that name images, as they are read.
enum ListFile {
    /// The most files of a directory.
    private static let limit = 100_000

    /// The files that a path stands for: itself, or of a directory all of YAML and JSON, in the order of their paths.
    ///
    /// What is hidden is not among them: there the tools of developers have files of their own.
    ///
    /// - Throws: ``ListFileError``.
    static func paths(at path: String) throws -> [String] {
        guard path != "-", FileKind.isDirectory(path) else { return [path] }
        let names: [String]
        do {
            names = try FileManager.default.subpathsOfDirectory(atPath: path)
        } catch {
            throw ListFileError(path: path, reason: "the directory, or one in it, cannot be read")
        }
        let found = names.filter(isRead).sorted().map { "\(path)/\($0)" }.filter { !FileKind.isDirectory($0) }
        guard !found.isEmpty else {
            throw ListFileError(path: path, reason: "it is a directory without any file of YAML or JSON")
        }
        guard found.count <= limit else { throw ListFileError(path: path, reason: "it has more than \(limit) files") }
        return found
    }

    private static func isRead(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let name = parts.last, !parts.contains(where: { $0.hasPrefix(".") }) else { return false }
        return name == "Kustomization" || [".yaml", ".yml", ".json"].contains { name.lowercased().hasSuffix($0) }
    }

    /// What messages call a file.
    static func name(of path: String) -> String { path == "-" ? "stdin" : path }

    /// A file, or stdin, whole.
    ///
    /// - Throws: ``ListFileError``.
    static func text(of path: String) throws -> [UInt8] {
        let text: [UInt8]
        do {
            text = try path == "-" ? Input.read() : Input.read(file: path)
        } catch {
            throw ListFileError(path: name(of: path), reason: "\(error)")
        }
        guard String(validating: text, as: UTF8.self) != nil else {
            throw ListFileError(path: name(of: path), reason: "it is not text in UTF-8")
        }
        return text
    }
}

/// A list of images that cannot be read.
struct ListFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the list \(path): \(reason)" }
}
