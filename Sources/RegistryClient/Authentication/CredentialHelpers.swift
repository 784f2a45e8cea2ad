/// The credential helpers that are asked for every registry, as containers' `registries.conf` names them.
///
/// Spec: containers-registries.conf(5) "credential-helpers".
package struct CredentialHelpers: Hashable, Sendable {
    /// What stands for the files in the list.
    private static let files = "containers-auth.json"

    let beforeFiles: [String]
    let afterFiles: [String]

    /// Takes the names in the order in which they are asked; `containers-auth.json` is where the files come, and without
    /// it they come last.
    package init(_ names: [String] = []) {
        let place = names.firstIndex(of: Self.files) ?? names.endIndex
        beforeFiles = Array(names[..<place])
        afterFiles = names[place...].filter { $0 != Self.files }
    }
}
