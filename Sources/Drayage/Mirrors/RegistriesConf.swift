import Glibc

/// A file as containers-registries.conf(5) describes it, in its second version.
///
/// Names without a registry mean Docker Hub here, as everywhere in Drayage: what the file says of them, and all that is
/// unknown, is passed over.
enum RegistriesConf {
    /// The most bytes of a file: far beyond any.
    private static let byteLimit = 1 << 20

    /// A file that cannot be used.
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let reason: String

        /// One line: operation, subject, cause.
        var description: String { "reading the mirrors in \(path): \(reason)".printable }
    }

    /// What a file says.
    struct Content {
        /// The rules in the file's order.
        var rules: [RegistryRule] = []
        /// The credential helpers; nil where it says nothing of them.
        var credentialHelpers: [String]?
    }

    /// Reads a file.
    ///
    /// - Throws: ``Failure``.
    static func content(ofFile path: String) throws(Failure) -> Content {
        try content(of: bytes(ofFile: path), path: path)
    }

    private static func bytes(ofFile path: String) throws(Failure) -> [UInt8] {
        func failure() -> Failure { Failure(path: path, reason: unsafe String(cString: strerror(errno)).lowercased()) }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 64 << 10))
        while bytes.count <= byteLimit {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure() }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
        throw Failure(path: path, reason: "it has more than \(byteLimit) bytes")
    }

    /// Reads the bytes of a file.
    ///
    /// - Parameters:
    ///   - bytes: the bytes.
    ///   - path: what errors call it.
    /// - Returns: what they say.
    /// - Throws: ``Failure``.
    static func content(of bytes: [UInt8], path: String) throws(Failure) -> Content {
        let document = try table(bytes, path: path)
        if document["registries"] != nil {
            let reason = "it is in the old form, with [registries.…]; write it with [[registry]]"
            throw Failure(path: path, reason: reason)
        }
        var content = Content()
        if let value = document["credential-helpers"] {
            guard let names = value.texts else {
                throw Failure(path: path, reason: "credential-helpers is no list of texts")
            }
            content.credentialHelpers = names
        }
        if let list = document["registry"] {
            content.rules = try tables(list, "registry", path).enumerated().map { number, entry throws(Failure) in
                try Entry(table: entry, name: "[[registry]] \(number + 1)", path: path).rule()
            }
        }
        return content
    }

    private static func table(_ bytes: [UInt8], path: String) throws(Failure) -> TOMLTable {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Failure(path: path, reason: "it is no text")
        }
        do {
            return try TOMLDocument.table(bytes)
        } catch {
            throw Failure(path: path, reason: "line \(error.line): \(error.reason)")
        }
    }

    fileprivate static func tables(_ value: TOMLValue, _ name: String, _ path: String) throws(Failure) -> [TOMLTable] {
        guard let tables = value.tables else { throw Failure(path: path, reason: "\(name) is no list of tables") }
        return tables
    }
}

/// One table of the file, and what errors call it.
private struct Entry {
    let table: TOMLTable
    let name: String
    let path: String

    func failure(_ reason: String) -> RegistriesConf.Failure {
        RegistriesConf.Failure(path: path, reason: "\(name): \(reason)")
    }

    /// What a `[[registry]]` says.
    func rule() throws(RegistriesConf.Failure) -> RegistryRule {
        let image = try image()
        let location = try namespace("location", without: image?.suffix)
        let named = if let image { image.prefix } else { try prefix() }
        guard let prefix = named ?? location.map({ .namespace($0) }) else {
            throw failure("it has neither a prefix nor a location")
        }
        let isBlocked = try flag("blocked") ?? false
        if location == nil {
            guard case .subdomains = prefix else { throw failure("it has no location") }
        }
        guard table["pull-from-mirror"] == nil else { throw failure("pull-from-mirror is for a mirror") }
        let digestOnly = try flag("mirror-by-digest-only") ?? false
        var mirrors: [RegistryRule.Mirror] = []
        if let list = table["mirror"] {
            for (number, mirror) in try RegistriesConf.tables(list, "\(name): mirror", path).enumerated() {
                let entry = Entry(table: mirror, name: "\(name): mirror \(number + 1)", path: path)
                mirrors.append(try entry.mirror(digestOnly: digestOnly, without: image?.suffix))
            }
        }
        return RegistryRule(
            prefix: prefix,
            location: location,
            isInsecure: try flag("insecure") ?? false,
            isBlocked: isBlocked,
            mirrors: mirrors,
            path: path
        )
    }

    private func mirror(digestOnly: Bool, without suffix: String?) throws(RegistriesConf.Failure) -> RegistryRule.Mirror
    {
        guard let location = try namespace("location", without: suffix) else { throw failure("it has no location") }
        let text = try text("pull-from-mirror")
        guard !digestOnly || text == nil else {
            throw failure("pull-from-mirror and the registry's mirror-by-digest-only exclude each other")
        }
        guard let use = text.map({ RegistryRule.Use(rawValue: $0) }) ?? .all else {
            throw failure("pull-from-mirror is all, digest-only or tag-only")
        }
        return RegistryRule.Mirror(
            location: location,
            isInsecure: try flag("insecure") ?? false,
            use: digestOnly ? .digestOnly : use
        )
    }

    /// The prefix where it is a whole reference: a repository with a tag or a digest.
    private func image() throws(RegistriesConf.Failure) -> (prefix: RegistryRule.Prefix, suffix: String)? {
        guard let text = try text("prefix"), let slash = text.lastIndex(of: "/"),
            let mark = text[slash...].firstIndex(where: { $0 == ":" || $0 == "@" })
        else { return nil }
        guard let reference = try? Reference(parsing: text) else {
            throw failure("the prefix \"\(text)\" cannot be used: it is no reference")
        }
        return (.image(reference), String(text[mark...]))
    }

    private func prefix() throws(RegistriesConf.Failure) -> RegistryRule.Prefix? {
        guard let text = try text("prefix"), text.hasPrefix("*.") else {
            return try namespace("prefix").map { .namespace($0) }
        }
        let domain = String(text.dropFirst(2))
        guard !domain.contains("/"), !domain.contains(":"), (try? RegistryNamespace(parsing: domain)) != nil else {
            throw failure("the prefix \"\(text)\" is not *. and a domain")
        }
        return .subdomains("." + domain)
    }

    /// A namespace.
    ///
    /// - Parameters:
    ///   - key: its name.
    ///   - suffix: the tag or the digest that it must end with; nil for none.
    /// - Returns: the namespace; nil where there is none.
    /// - Throws: ``RegistriesConf/Failure`` where it cannot be used.
    private func namespace(
        _ key: String,
        without suffix: String? = nil
    ) throws(RegistriesConf.Failure) -> RegistryNamespace? {
        guard let text = try text(key) else { return nil }
        guard text.hasSuffix(suffix ?? "") else {
            throw failure(
                "the \(key) \"\(text)\" cannot be used: the prefix ends with \(suffix ?? ""), and it does not"
            )
        }
        do {
            return try RegistryNamespace(parsing: String(text.dropLast((suffix ?? "").count)))
        } catch {
            let reason =
                text.contains("://")
                ? "it is written without a scheme" : "it is a host, and what repositories there begin with"
            throw failure("the \(key) \"\(text)\" cannot be used: \(reason)")
        }
    }

    /// A text; one that is empty is none.
    private func text(_ key: String) throws(RegistriesConf.Failure) -> String? {
        guard let value = table[key] else { return nil }
        guard case .text(let text) = value else { throw failure("\(key) is no text") }
        return text.isEmpty ? nil : text
    }

    private func flag(_ key: String) throws(RegistriesConf.Failure) -> Bool? {
        guard let value = table[key] else { return nil }
        guard case .flag(let flag) = value else { throw failure("\(key) is neither true nor false") }
        return flag
    }
}
