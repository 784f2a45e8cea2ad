import FoundationEssentials

extension Document {
    /// An index of nothing that no registry has yet, so that whatever points at it points at nothing else.
    ///
    /// - Throws: ``DocumentError`` where it cannot be digested.
    static func throwAway() throws -> Document {
        let text = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[],\
            "annotations":{"dev.drayage.throw-away":"\(UUID().uuidString)"}}
            """
        return try Document(bytes: Array(text.utf8), declaredType: .ociIndex)
    }
}
