/// The `Link` header of a listing.
package enum Link {
    /// The target of the link whose relation is `next`, nil where there is none.
    ///
    /// Spec: RFC 8288 "Link Serialisation in HTTP Headers"; distribution "Listing Tags".
    package static func next(in header: String) -> String? {
        var rest = Substring(header)
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            let parameters = rest[rest.index(after: close)...].prefix { $0 != "<" }
            if parameters.split(separator: ";").contains(where: isNext) { return String(target) }
            rest = parameters.base[parameters.endIndex...]
        }
        return nil
    }

    private static func isNext(_ parameter: Substring) -> Bool {
        let parts = parameter.split(separator: "=", maxSplits: 1)
        let words = parts.map { $0.lowercased().split { " \t\",".contains($0) } }
        return words.count == 2 && words[0] == ["rel"] && words[1].contains("next")
    }
}
