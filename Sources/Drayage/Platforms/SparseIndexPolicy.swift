/// What becomes of an index of which some platforms are left out.
public enum SparseIndexPolicy: String, Sendable, Codable, CaseIterable {
    /// A complete smaller index takes its place, with a digest of its own.
    case strip
    /// Its bytes and its digest stay, and it names manifests that are not there.
    case keep
}
