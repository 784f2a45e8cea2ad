import FoundationEssentials

extension Document {
    /// An index with some of its manifests, and everything else that it says.
    ///
    /// The same index and the same manifests give the same bytes: JSON with sorted keys and without white space.
    ///
    /// - Parameter children: what becomes of each of its manifests, in the index's order: the digest and size that it has
    ///   now, which are its own where it is as it was; nil where it is left out.
    /// - Returns: the smaller index.
    /// - Throws: ``DocumentError`` where this is no index.
    package func keeping(_ children: [Descriptor?]) throws(DocumentError) -> Document {
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw DocumentError(.unreadable(reason: Self.reason(of: error)))
        }
        guard case .object(var fields) = value, case .array(let entries) = fields["manifests"],
            entries.count == children.count
        else { throw DocumentError(.unreadable(reason: "it is no index")) }
        fields["manifests"] = .array(zip(entries, children).compactMap { $1.map($0.entry) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let text = try encoder.encode(JSONValue.object(fields))
            return try Document(bytes: [UInt8](text), declaredType: descriptor.mediaType)
        } catch let error as DocumentError {
            throw error
        } catch {
            throw DocumentError(.unreadable(reason: "\(error)"))
        }
    }
}

extension JSONValue {
    /// The entry of an index for a child that may have become another.
    fileprivate func entry(_ child: Descriptor) -> JSONValue {
        guard case .object(var fields) = self, fields["digest"]?.text != child.digest.description else { return self }
        fields["digest"] = .string(child.digest.description)
        fields["size"] = .integer(child.size)
        // It was the content of what it had been.
        fields["data"] = nil
        return .object(fields)
    }
}
