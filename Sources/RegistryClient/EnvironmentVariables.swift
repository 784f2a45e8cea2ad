/// The variables of an environment, and what they mean to the tools of containers.
extension [String: String] {
    /// The value of a variable; one that is set to nothing says nothing.
    package func value(of variable: String) -> String? { self[variable].flatMap { $0.isEmpty ? nil : $0 } }

    /// The folder of the user's settings; nil where there is no home.
    ///
    /// Spec: XDG Base Directory Specification, `XDG_CONFIG_HOME`.
    package var settingsFolder: String? { value(of: "XDG_CONFIG_HOME") ?? value(of: "HOME").map { $0 + "/.config" } }
}
