import FoundationEssentials

/// An argument that is a bundle or a registry.
enum BundleArgument {
    /// Whether it is a bundle: a file that is there, or what cannot be a registry, so that the error is that of a file.
    static func isBundle(_ text: String) -> Bool {
        if text.hasPrefix("http://") || text.hasPrefix("https://") { return false }
        if FileManager.default.fileExists(atPath: text) || text.hasSuffix(".tar") { return true }
        let host = text.prefix { $0 != "/" }
        return host.isEmpty || host == "." || host == ".."
            || !(host.contains(".") || host.contains(":") || host == "localhost")
    }
}
