import FoundationEssentials

extension Document {
    /// The annotation that makes each throw-away another.
    static let throwAwayAnnotation = "dev.drayage.throw-away"

    /// An index of nothing that no registry has yet, so that whatever points at it points at nothing else.
    ///
    /// - Throws: ``DocumentError`` where it cannot be digested.
    static func throwAway() throws -> Document {
        let text = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[],\
            "annotations":{"\(throwAwayAnnotation)":"\(UUID().uuidString)"}}
            """
        return try Document(bytes: Array(text.utf8), declaredType: .ociIndex)
    }
}
