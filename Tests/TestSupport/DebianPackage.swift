import Foundation
import OCI

/// A package of the distribution that the tests run on, as the layer of an image.
package struct DebianPackage: Sendable {
    /// Its name.
    package let name: String
    private let cache: String

    /// Names a package exactly.
    package init(_ name: String, cache: String) {
        self.name = name
        self.cache = cache
    }

    /// The newest of the packages whose name is this and a version: `libicu` is `libicu72` here, `libicu76` elsewhere.
    ///
    /// - Throws: ``DebianPackageError`` when there is none.
    package init(newestOf prefix: String, cache: String) throws {
        let names = try Command("apt-cache", ["pkgnames", prefix]).check().outputText.split(separator: "\n")
        // Some carry the mark of the change to 64-bit time.
        let versions = names.compactMap { name in
            name.dropFirst(prefix.count).wholeMatch(of: /([0-9]+)(?:t64)?/).flatMap { Int($0.1) }.map { ($0, name) }
        }
        guard let newest = versions.max(by: { $0.0 < $1.0 }) else {
            throw DebianPackageError(reason: "no package \(prefix) and a number is known; run apt-get update")
        }
        self.init(String(newest.1), cache: cache)
    }

    /// The package's files as a layer in gzip, in the cache directory.
    package func layer(family: ImageBuilder.Family) throws -> TestBlob {
        let archive = try download()
        let layer = archive + ".layer.tar.gz"
        let note = archive + ".diff-id"
        if !FileManager.default.fileExists(atPath: note) {
            let tar = archive + ".tar"
            // Not through our own compressor: what real images hold was made by others.
            try shell(#"dpkg-deb --fsys-tarfile "$0" >"$1""#, archive, tar)
            try shell(#"gzip -1 -n -c "$0" >"$1.new" && mv "$1.new" "$1""#, tar, layer)
            let digest = try Digest.of(Data(contentsOf: URL(fileURLWithPath: tar), options: .alwaysMapped))
            try FileManager.default.removeItem(atPath: tar)
            try Data(digest.description.utf8).write(to: URL(fileURLWithPath: note), options: .atomic)
        }
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: note)), as: UTF8.self)
        return try TestBlob(file: layer, mediaType: family.layer, diffID: try Digest(parsing: text))
    }

    /// The absolute path of a file of the package, one of those that end with a text.
    package func path(endingWith end: String) throws -> String {
        let list = try Command("dpkg-deb", ["-c", try download()]).check().outputText.split(separator: "\n")
        guard let path = list.compactMap({ $0.split(separator: " ").last }).first(where: { $0.hasSuffix(end) }) else {
            throw DebianPackageError(reason: "\(name) has no \(end)")
        }
        return String(path.dropFirst())
    }

    /// Fetches the package unless it is in the cache, and gives its path.
    private func download() throws -> String {
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        if let path = try cached() { return path }
        // Root's apt would hand the download to a user that may not write here.
        let arguments = ["-q", "-o", "APT::Sandbox::User=root", "download", name]
        try Command("apt-get", arguments, directory: cache).check()
        guard let path = try cached() else { throw DebianPackageError(reason: "apt-get did not download \(name)") }
        return path
    }

    private func cached() throws -> String? {
        let names = try FileManager.default.contentsOfDirectory(atPath: cache)
        return names.filter { $0.hasPrefix(name + "_") && $0.hasSuffix(".deb") }.max().map { "\(cache)/\($0)" }
    }

    private func shell(_ script: String, _ arguments: String...) throws {
        try Command("sh", ["-c", "set -e; " + script] + arguments).check()
    }
}

/// A package cannot be made into a layer.
package struct DebianPackageError: Error, CustomStringConvertible {
    /// Why.
    package let reason: String

    /// Why.
    package var description: String { reason }
}
