import OCI

/// What Docker before version 1.10 said of a layer in its file `json`, as far as a config needs it.
struct LegacyImage: Decodable {
    let parent: String?
    let throwaway: Bool?
    private let created: String?
    private let author: String?
    private let comment: String?
    private let containerConfig: ContainerConfig?

    private enum CodingKeys: String, CodingKey {
        case parent
        case throwaway
        case created
        case author
        case comment
        case containerConfig = "container_config"
    }

    private struct ContainerConfig: Decodable {
        let command: [String]?

        private enum CodingKeys: String, CodingKey { case command = "Cmd" }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // The oldest have one text.
            if let text = try? container.decode(String.self, forKey: .command) {
                command = [text]
            } else {
                command = try container.decodeIfPresent([String].self, forKey: .command)
            }
        }
    }

    /// As it stands in the history of a config.
    var history: LegacyHistory {
        LegacyHistory(
            created: created,
            author: author?.nonEmpty,
            createdBy: containerConfig?.command?.joined(separator: " ").nonEmpty,
            comment: comment?.nonEmpty,
            emptyLayer: throwaway == true ? true : nil
        )
    }
}

/// An entry of the history of a config.
///
/// Spec: image "OCI Image Configuration", `history`.
struct LegacyHistory: Encodable {
    let created: String?
    let author: String?
    let createdBy: String?
    let comment: String?
    let emptyLayer: Bool?

    private enum CodingKeys: String, CodingKey {
        case created
        case author
        case createdBy = "created_by"
        case comment
        case emptyLayer = "empty_layer"
    }
}

/// The layers of a config.
///
/// Spec: image "OCI Image Configuration", `rootfs`.
struct LegacyRootFileSystem: Encodable {
    private let type = "layers"
    private let diffIDs: [Digest]

    private enum CodingKeys: String, CodingKey {
        case type
        case diffIDs = "diff_ids"
    }

    /// Lists layers that are not compressed, so that their digests are those of their content.
    init(_ layers: [Descriptor]) { diffIDs = layers.map(\.digest) }
}

extension String {
    /// The text; nil where it is empty.
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
