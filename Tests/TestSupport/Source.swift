import Synchronization

/// A registry of a test, with the images in it.
package struct Source: Sendable {
    package let content: RegistryContent
    package let registry: ScriptedRegistry

    /// A registry that answers as it should, but for what the test answers itself.
    package init(
        pageSize: Int = 100,
        deletion: RegistryContent.Deletion = .off,
        takesSparseIndexes: Bool = false,
        except fault: @escaping @Sendable (Request) -> Answer? = { _ in nil }
    ) throws {
        let content = RegistryContent(pageSize: pageSize, deletion: deletion, takesSparseIndexes: takesSparseIndexes)
        self.content = content
        registry = try ScriptedRegistry { fault($0) ?? content.answer($0) }
    }

    package var address: String { registry.address }

    /// Adds an image and gives its reference.
    @discardableResult
    package func add(_ image: TestImage, _ repository: String, tag: String = "1") throws -> String {
        try content.add(image, repository: repository, tag: tag)
        return "\(address)/\(repository):\(tag)"
    }
}

/// A switch between a test and a registry's threads.
package final class Flag: Sendable {
    /// A switch that is off.
    package init() {}

    private let state = Atomic(false)

    /// Whether it is on.
    package var isSet: Bool { state.load(ordering: .relaxed) }
    /// Turns it on or off.
    package func set(_ value: Bool) { state.store(value, ordering: .relaxed) }
}
