import OCI
import RegistryDirectory

/// What a server serves: a registry's directory, or bundles.
public struct ServedContent: Sendable {
    private enum Source: Sendable {
        case directory(RegistryDirectory)
        case bundles(BundleContent)
    }

    private let source: Source
    /// Whether nothing in it can be changed.
    public let isReadOnly: Bool

    /// A registry's root directory, in the layout of distribution's filesystem driver.
    ///
    /// An empty directory is a new registry. It is locked against another Drayage for as long as this value lives.
    ///
    /// - Parameters:
    ///   - path: the directory.
    ///   - isReadOnly: whether nothing in it is to be changed.
    /// - Returns: the content.
    /// - Throws: a description of why it cannot be served.
    public static func directory(_ path: String, isReadOnly: Bool = false) throws -> ServedContent {
        let directory = try RegistryDirectory(path: path, access: isReadOnly ? .readOnly : .readWrite)
        return ServedContent(source: .directory(directory), isReadOnly: isReadOnly)
    }

    /// Bundles, read-only.
    package static func bundles(_ bundles: BundleContent) -> ServedContent {
        ServedContent(source: .bundles(bundles), isReadOnly: true)
    }

    /// The directory, where it is one.
    var directory: RegistryDirectory? {
        guard case .directory(let directory) = source else { return nil }
        return directory
    }

    /// What can be written to; nil where nothing can.
    var writableDirectory: RegistryDirectory? { isReadOnly ? nil : directory }

    /// The name of the part of the content that a namespace means, nil for all of it: a client may say anything.
    func namespace(_ namespace: String?) -> String? {
        guard let namespace, case .bundles = source else { return nil }
        return BundleContent.host(of: namespace)
    }

    /// What is read from.
    ///
    /// - Parameter namespace: the registry that a reference names while a mirror is asked, as containerd says it.
    /// - Returns: the store.
    func store(forNamespace namespace: String?) -> any RegistryStore {
        switch source {
        case .directory(let directory): directory
        case .bundles(let bundles): bundles.store(forNamespace: namespace)
        }
    }
}
