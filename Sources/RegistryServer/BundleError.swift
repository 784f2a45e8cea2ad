import Glibc
package import ImageLayout
package import OCI

/// Bundles that cannot be served, or one that no longer can.
package struct BundleError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A tag of an image, and the bundle that has it.
    package struct TaggedImage: Hashable, Sendable {
        /// Its name in the bundle.
        package let name: String
        /// Its manifest or index.
        package let digest: Digest
        /// The bundle's path.
        package let bundle: String
    }

    /// What is wrong.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        /// Something is missing or damaged; and how much else.
        case damaged(LayoutError, others: Int)
        case noNamedImage
        /// The image's name is a tag, and names no repository.
        case bareTag(String)
        case invalidName(ReferenceError)
        /// Two images would be served under one name.
        case nameCollision(name: String, TaggedImage, TaggedImage)
        /// The file ends before something that was in it when it was opened.
        case shortened(byteCount: Int64)
        /// The system refused something; the value of `errno`.
        case system(operation: String, errno: Int32)
    }

    /// What is wrong.
    package let code: Code
    /// The bundle.
    package let path: String

    /// One line: subject, cause, and what to do next.
    package var description: String {
        let path = path.printable
        return switch code {
        case .damaged(let problem, let others):
            "\(problem)" + (others > 0 ? " (and \(others) more; drayage verify lists them)" : "")
        case .noNamedImage: "\(path) holds no image with a name, so there is no name to serve it under"
        case .bareTag(let name):
            "\(path): the image \"\(name.printable)\" has a tag for a name and no repository; --name says which it is"
        case .invalidName(let error): "naming an image of \(path): \(error)"
        case .nameCollision(let name, let one, let other):
            "\(one.text) and \(other.text) would both be served as \(name)"
        case .shortened(let byteCount):
            "reading \(path): it was cut to \(byteCount) bytes while it was served; "
                + "put the whole file back and start the server again"
        case .system(let operation, let code):
            unsafe "reading \(path): \(operation): \(String(cString: strerror(code)).lowercased())"
        }
    }
}

extension BundleError.TaggedImage {
    fileprivate var text: String { "\(name.printable) of \(bundle.printable) (\(digest))" }
}
