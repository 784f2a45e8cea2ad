/// A value of a TOML file.
///
/// Numbers and dates, of which `registries.conf` has none, are passed over without a look at what they say.
enum TOMLValue {
    case text(String)
    case flag(Bool)
    case other
    case list([TOMLValue])
    case table(TOMLTable)

    /// The tables of a list of nothing else.
    var tables: [TOMLTable]? {
        guard case .list(let values) = self else { return nil }
        let tables = values.compactMap { value in if case .table(let table) = value { table } else { nil } }
        return tables.count == values.count ? tables : nil
    }

    /// The texts of a list of nothing else.
    var texts: [String]? {
        guard case .list(let values) = self else { return nil }
        let texts = values.compactMap { value in if case .text(let text) = value { text } else { nil } }
        return texts.count == values.count ? texts : nil
    }

    /// The table at the end of a list.
    fileprivate var lastTable: TOMLTable? {
        guard case .list(let values) = self, case .table(let last) = values.last else { return nil }
        return last
    }
}

/// A table of a TOML file, which grows while the file is read.
final class TOMLTable {
    fileprivate(set) var values: [String: TOMLValue] = [:]
    /// Whether a header or a value has made it, so that no other may.
    fileprivate var isDefined = false
    /// Whether names with dots have made it, which may go on with it.
    fileprivate var isDotted = false
    /// Whether it is a value, to which nothing is added.
    fileprivate var isClosed = false

    subscript(key: String) -> TOMLValue? { values[key] }
}

/// A text that is not TOML, or more of it than is read.
struct TOMLError: Error {
    let line: Int
    let reason: String
}

/// Reads TOML from its first byte to its last, with a bound on how deep it goes.
///
/// Spec: TOML 1.0.0.
struct TOMLDocument {
    private static let depthLimit = 32

    private var scanner: TOMLScanner
    private let root = TOMLTable()

    /// Reads a text, which is UTF-8.
    ///
    /// - Throws: ``TOMLError``.
    static func table(_ bytes: [UInt8]) throws(TOMLError) -> TOMLTable {
        var document = TOMLDocument(scanner: TOMLScanner(bytes: bytes))
        try document.read()
        return document.root
    }

    private init(scanner: TOMLScanner) { self.scanner = scanner }

    private mutating func read() throws(TOMLError) {
        var current = root
        while true {
            try scanner.skipLines()
            guard let byte = scanner.next else { return }
            if byte == UInt8(ascii: "[") { current = try header() } else { try pair(in: current, depth: 0) }
            try scanner.endLine()
        }
    }

    /// Reads `[a.b]` or `[[a.b]]`.
    private mutating func header() throws(TOMLError) -> TOMLTable {
        scanner.take()
        let isList = scanner.take("[")
        let path = try path()
        guard scanner.take("]"), !isList || scanner.take("]") else { throw scanner.error("the header has no end") }
        guard let name = path.last else { throw scanner.error("a table has no name") }
        var table = root
        for name in path.dropLast() { table = try descend(to: name, from: table) }
        if isList {
            let new = TOMLTable()
            var list: [TOMLValue] = []
            // Taken out, so that the list grows where it is.
            if let known = table.values.removeValue(forKey: name) {
                guard case .list(let values) = known, known.lastTable?.isClosed == false else { throw twice(name) }
                list = values
            }
            new.isDefined = true
            list.append(.table(new))
            table.values[name] = .list(list)
            return new
        }
        let new = try descend(to: name, from: table)
        guard !new.isDefined, !new.isDotted else { throw twice(name) }
        new.isDefined = true
        return new
    }

    /// The table of a name in another, made where there is none; of a list it is the last.
    private func descend(to name: String, from table: TOMLTable, dotted: Bool = false) throws(TOMLError) -> TOMLTable {
        let inner: TOMLTable
        switch table.values[name] {
        case nil:
            inner = TOMLTable()
            inner.isDotted = dotted
            table.values[name] = .table(inner)
        case .table(let known):
            guard !dotted || known.isDotted else { throw twice(name) }
            inner = known
        case .some(let value):
            guard !dotted, let last = value.lastTable else { throw twice(name) }
            inner = last
        }
        guard !inner.isClosed else { throw twice(name) }
        return inner
    }

    private func twice(_ name: String) -> TOMLError { scanner.error("\"\(name)\" is there twice") }

    private mutating func pair(in table: TOMLTable, depth: Int) throws(TOMLError) {
        let path = try path()
        guard let name = path.last else { throw scanner.error("a name is missing") }
        guard scanner.take("=") else { throw scanner.error("\"=\" is missing after a name") }
        scanner.skipBlanks()
        let value = try value(depth: depth)
        var table = table
        for name in path.dropLast() { table = try descend(to: name, from: table, dotted: true) }
        guard table.values.updateValue(value, forKey: name) == nil else { throw twice(name) }
    }

    private mutating func path() throws(TOMLError) -> [String] {
        var path: [String] = []
        repeat {
            scanner.skipBlanks()
            path.append(try scanner.name())
            scanner.skipBlanks()
            guard path.count <= Self.depthLimit else { throw scanner.error("a name of too many parts") }
        } while scanner.take(".")
        return path
    }

    private mutating func value(depth: Int) throws(TOMLError) -> TOMLValue {
        guard depth < Self.depthLimit else { throw scanner.error("lists and tables in each other, too deep") }
        switch scanner.next {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .text(try scanner.text())
        case UInt8(ascii: "["): return .list(try list(depth: depth + 1))
        case UInt8(ascii: "{"): return .table(try inlineTable(depth: depth + 1))
        default: return try scanner.word()
        }
    }

    private mutating func list(depth: Int) throws(TOMLError) -> [TOMLValue] {
        scanner.take()
        var values: [TOMLValue] = []
        while true {
            try scanner.skipLines()
            if scanner.take("]") { return values }
            values.append(try value(depth: depth))
            try scanner.skipLines()
            if scanner.take("]") { return values }
            guard scanner.take(",") else { throw scanner.error("a list goes on without \",\" and has no end") }
        }
    }

    private mutating func inlineTable(depth: Int) throws(TOMLError) -> TOMLTable {
        scanner.take()
        let table = TOMLTable()
        scanner.skipBlanks()
        var hasMore = !scanner.take("}")
        while hasMore {
            try pair(in: table, depth: depth)
            scanner.skipBlanks()
            hasMore = scanner.take(",")
            guard hasMore || scanner.take("}") else {
                throw scanner.error("a table goes on without \",\" and has no end")
            }
        }
        (table.isDefined, table.isClosed) = (true, true)
        return table
    }
}
