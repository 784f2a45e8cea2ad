import Synchronization
import TestSupport

/// A registry of a test, with the images in it.
struct Source {
    let content = RegistryContent()
    let registry: ScriptedRegistry

    /// A registry that answers as it should, but for what the test answers itself.
    init(except fault: @escaping @Sendable (Request) -> Answer? = { _ in nil }) throws {
        registry = try ScriptedRegistry { [content] in fault($0) ?? content.answer($0) }
    }

    var address: String { registry.address }

    /// Adds an image and gives its reference.
    @discardableResult
    func add(_ image: TestImage, _ repository: String, tag: String = "1") throws -> String {
        try content.add(image, repository: repository, tag: tag)
        return "\(address)/\(repository):\(tag)"
    }
}

/// A switch between a test and the registry's threads.
final class Flag: Sendable {
    private let state = Atomic(false)

    var isSet: Bool { state.load(ordering: .relaxed) }
    func set(_ value: Bool) { state.store(value, ordering: .relaxed) }
}
