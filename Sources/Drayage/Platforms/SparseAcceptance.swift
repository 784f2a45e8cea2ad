import ImageLayout
import RegistryClient

/// Finds out whether a target takes indexes of which images are missing, where one of those is to be put: before any byte
/// is sent for it.
struct SparseAcceptance: Sendable {
    let graph: ImageGraph
    let client: RegistryClient
    let progress: ProgressHandler

    /// Tries it in one repository after the other, until one says what it thinks of such an index.
    ///
    /// - Parameter images: the images; those that the target would refuse get that for a failure.
    /// - Returns: lines about what is left there.
    /// - Throws: `RegistryError` where there is no answer, `CancellationError`.
    func check(_ images: inout [PushPlan.Image]) async throws -> [String] {
        var pending = images.indices.filter { place in
            let image = images[place]
            return image.action.sends && image.image.isSparse && !absentees(of: image).isEmpty
        }
        while let first = pending.first {
            let image = images[first]
            let type = image.image.descriptor.mediaType
            let index = try SparseTrial.index(like: absentees(of: image), mediaType: type)
            let trial = try await client.trySparseIndex(index, in: image.repository)
            guard !trial.isDone else {
                let note = "a trial whether sparse indexes are taken: \(image.repository): "
                return trial.detail.map { [note + $0] } ?? []
            }
            guard trial.error?.isAboutContent == true else {
                // That is about this repository alone.
                for place in pending where images[place].repository == image.repository {
                    let what = "trying to put a sparse index for \(images[place].name)"
                    fail(&images[place], DrayageError(.other, what, underlying: trial.error))
                }
                pending.removeAll { images[$0].repository == image.repository }
                continue
            }
            for place in pending where try await !isWhole(images[place]) {
                fail(&images[place], refusal(of: images[place], trial.error))
            }
            return []
        }
        return []
    }

    private func absentees(of image: PushPlan.Image) -> [Descriptor] {
        graph.absentees(of: image.image.descriptor.digest)
    }

    /// Whether the target has what the bundle has not.
    private func isWhole(_ image: PushPlan.Image) async throws -> Bool {
        for child in absentees(of: image) {
            do {
                let digest = try await client.headManifest(.digest(child.digest), in: image.repository, for: .push)
                if digest == nil { return false }
            } catch let error as RegistryError where !error.concernsWholeRegistry {
                // What it will not say of one repository does not end the push of all.
                return false
            }
        }
        return true
    }

    private func fail(_ image: inout PushPlan.Image, _ error: DrayageError) {
        image.action = .fail
        image.failure = error
        progress(.imageFailed(name: image.name, message: error.description))
    }

    private func refusal(of image: PushPlan.Image, _ error: RegistryError?) -> DrayageError {
        let platforms = image.image.subset?.platforms.map(\.description).joined(separator: ", ") ?? ""
        return DrayageError(
            .other,
            "\(image.name) has \(platforms) alone under an index that names more, and \(image.repository.registry) takes no "
                + "such index (docker-distribution: validation.manifests.indexes.platforms); bundle it with "
                + "--sparse strip, or have the registry allow it",
            underlying: error
        )
    }
}

extension RegistryError {
    /// Whether a manifest was refused for what it says.
    fileprivate var isAboutContent: Bool {
        status == 400 || status == 422 || registryMessages.contains { $0.hasPrefix("MANIFEST_") }
    }
}
