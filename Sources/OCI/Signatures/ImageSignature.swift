/// Where a signature of an image may stand: the layers of a manifest, in the two forms that cosign has.
///
/// The manifest is found by its tag (`sha256-<hex>.sig`) or as a referrer. What it is, its layers' types tell: cosign's
/// own artifact types differ between versions, and some registries list others.
package enum ImageSignature {
    /// The most layers of a manifest that are looked at: the last, as who signs again adds one.
    package static let payloadLimit = 64
    /// The most bytes of a layer: simple signing has some hundred, a bundle with its certificates some thousand.
    package static let byteLimit = 1 << 20

    /// The layers of a manifest that may be signatures, in its order.
    ///
    /// Whose they are and of what, only ``SignaturePayload/isSignature(of:content:by:)`` can tell.
    ///
    /// - Parameter document: a manifest; an index, and what is of no known type, has none.
    /// - Returns: at most ``payloadLimit``, each of at most ``byteLimit`` bytes; the others are passed over.
    package static func payloads(of document: Document) -> [SignaturePayload] {
        guard case .manifest(let manifest) = document.content else { return [] }
        let layers = manifest.layers.filter { $0.size <= byteLimit }
        return layers.compactMap { SignaturePayload(layer: $0) }.suffix(payloadLimit)
    }
}

/// A layer that may be the signature of an image.
package struct SignaturePayload: Hashable, Sendable {
    /// The two forms.
    private enum Form: Hashable, Sendable {
        /// Simple signing: the layer's bytes are what was signed, and the signature is in the manifest.
        case simpleSigning(signature: [UInt8])
        /// A sigstore bundle: all of it is in the layer.
        case bundle
    }

    /// The layer, whose content is to be fetched and verified against it.
    package let layer: Descriptor
    private let form: Form

    /// Takes a layer; nil where it is of neither form.
    fileprivate init?(layer: Descriptor) {
        if layer.mediaType == SimpleSigning.mediaType {
            guard let text = layer.annotations?[SimpleSigning.annotation], let signature = [UInt8](base64: text) else {
                return nil
            }
            form = .simpleSigning(signature: signature)
        } else if SigstoreBundle.mediaTypes.contains(layer.mediaType) {
            form = .bundle
        } else {
            return nil
        }
        self.layer = layer
    }

    /// Whether this says that the holder of a key has signed a manifest or an index.
    ///
    /// For which name it was signed is not looked at, as with cosign: an image may be carried to another repository.
    ///
    /// - Parameters:
    ///   - digest: the digest of what is to be signed.
    ///   - content: the layer's bytes, already verified against its digest.
    ///   - key: the key.
    /// - Returns: false as well where the content cannot be read: what nobody signed may say anything.
    package func isSignature(of digest: Digest, content: [UInt8], by key: PublicKey) -> Bool {
        guard content.count <= ImageSignature.byteLimit else { return false }
        return switch form {
        case .simpleSigning(let signature):
            // Nothing of it is read before it is known to be from the key's holder.
            key.verifies(signature, of: content) && SimpleSigning.names(digest, in: content)
        case .bundle:
            SigstoreBundle.isSignature(of: digest, content: content, by: key)
        }
    }
}
