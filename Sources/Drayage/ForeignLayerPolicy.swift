import RegistryClient

/// What becomes of layers that their makers ask not to distribute, and that registries need not have.
///
/// Spec: image "Non-Distributable Layers".
public enum ForeignLayerPolicy: String, Sendable, Codable, CaseIterable {
    /// They stay where they are; whoever runs the image fetches them from there.
    case skip
    /// They are fetched: from the registry where it has them, else from where their maker has them, over https and without
    /// saying who we are.
    case include
}

/// The most URLs of a foreign layer that are asked.
private let urlLimit = 8

/// Asks where the maker of a foreign layer has it, one place after the other.
///
/// - Parameters:
///   - layer: the layer.
///   - ask: fetches it from a URL, which has a name as well that may be told.
/// - Returns: what `ask` returns.
/// - Throws: what `ask` throws for the last URL, and what it throws that is no `RegistryError`.
func askMakers(of layer: Descriptor, _ ask: (_ url: String, _ name: String) async throws -> String) async throws
    -> String
{
    let urls = (layer.urls ?? []).prefix(urlLimit)
    for url in urls.dropLast() {
        do {
            return try await ask(url, ForeignLayerURL.name(of: url))
        } catch is RegistryError {
            // The last one tells why.
        }
    }
    guard let url = urls.last else { throw DrayageError(.other, "\(layer.digest): nobody says where its maker has it") }
    return try await ask(url, ForeignLayerURL.name(of: url))
}
