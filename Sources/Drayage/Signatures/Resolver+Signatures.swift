import ImageLayout
import RegistryClient

extension Resolver {
    /// The most layers that are tried for the signatures of one image.
    private static let signatureLimit = 256

    /// Finds out which images are not signed as they must be.
    ///
    /// What refers to them must have been looked for.
    ///
    /// - Returns: why, by their place among the images.
    /// - Throws: `CancellationError` alone.
    func unsigned(in resolution: inout Resolution, _ policy: SignaturePolicy) async throws -> [Int: any Error] {
        let graph = resolution.graph
        let demands = resolution.images.enumerated().map { ($0, $1, policy.keys(for: $1.reference.repository)) }
            .filter { !$2.isEmpty }
        let answers = try await collectConcurrently(demands, limit: parallelism) { index, image, keys in
            (index, try await verify(image, keys, graph))
        }
        var failures: [Int: any Error] = [:]
        for (index, answer) in answers {
            failures[index] = answer.failure
            if let (digest, blob) = answer.blob { resolution.keep(blob, as: digest) }
        }
        return failures
    }

    private struct Answer {
        var failure: (any Error)?
        /// What had to be fetched for it, and proved good.
        var blob: (Digest, PlannedBlob)?
    }

    private func verify(_ image: Image, _ keys: [SignaturePolicy.Key], _ graph: ImageGraph) async throws -> Answer {
        var answer = Answer()
        let digest = image.foundDigest
        let documents = Set(image.referrers.filter { $0.subject == digest }.map(\.descriptor.digest)).sorted()
        let payloads = documents.compactMap { graph.documents[$0] }.flatMap(ImageSignature.payloads)
        var cause: (any Error)?
        for payload in payloads.prefix(Self.signatureLimit) {
            switch try await smallBlob(payload.layer, at: image.origin.places) {
            case .failure(let error): cause = cause ?? error
            case .success(let blob):
                let isSigned = keys.contains { key in
                    payload.isSignature(of: digest, content: blob.bytes, by: key.key)
                }
                guard isSigned else { continue }
                answer.blob = blob.isKept ? (payload.layer.digest, blob) : nil
                return answer
            }
        }
        let names = keys.map(\.name).joined(separator: " or ")
        let found =
            payloads.isEmpty
            ? "there is no signature of it" : "none of its signatures is by \(names) (those without a key do not count)"
        answer.failure = DrayageError(
            .unverified,
            "\(image.reference) with the digest \(digest) must be signed by \(names) to enter the bundle; \(found)",
            underlying: cause
        )
        return answer
    }
}
