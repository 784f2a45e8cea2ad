import FoundationEssentials
import RegistryClient

/// Finds the files of containers-registries.conf(5) as Podman, Skopeo and Buildah do, and puts together what they say.
struct RegistriesConfFiles: Sendable {
    private static let variable = "CONTAINERS_REGISTRIES_CONF"
    private static let name = "registries.conf"

    let environment: [String: String]
    /// The folder of the machine's own files.
    let systemFolder: String

    /// What all files say: a later rule instead of an earlier one with the same prefix, and the last list of helpers.
    ///
    /// - Throws: ``RegistriesConf/Failure`` for a file that cannot be used.
    func content() throws(RegistriesConf.Failure) -> RegistriesConf.Content {
        var content = RegistriesConf.Content()
        var rules: [RegistryRule.Prefix: RegistryRule] = [:]
        for path in try paths() {
            let file = try RegistriesConf.content(ofFile: path)
            for rule in file.rules { rules[rule.prefix] = rule }
            content.credentialHelpers = file.credentialHelpers ?? content.credentialHelpers
        }
        content.rules = rules.values.sorted { $0.prefix.description < $1.prefix.description }
        return content
    }

    /// The files, in the order in which they are read.
    ///
    /// The user's own file stands for the machine's files; where there is none, the machine's come first, and the user's
    /// drop-ins after them. The file that the environment names stands for the machine's own, and podman reads the
    /// drop-ins of both all the same.
    ///
    /// Spec: containers-registries.conf.d(5) "CONFIGURATION PRECEDENCE".
    ///
    /// - Throws: ``RegistriesConf/Failure`` for a folder that cannot be read.
    func paths() throws(RegistriesConf.Failure) -> [String] {
        let userFolder = environment.settingsFolder.map { $0 + "/containers" }
        if let path = environment.value(of: Self.variable) {
            return [path] + (try dropIns(in: systemFolder)) + (try dropIns(in: userFolder))
        }
        if let file = userFolder.map({ "\($0)/\(Self.name)" }), FileManager.default.fileExists(atPath: file) {
            return [file] + (try dropIns(in: userFolder))
        }
        let file = "\(systemFolder)/\(Self.name)"
        let main = FileManager.default.fileExists(atPath: file) ? [file] : []
        return main + (try dropIns(in: systemFolder)) + (try dropIns(in: userFolder))
    }

    private func dropIns(in folder: String?) throws(RegistriesConf.Failure) -> [String] {
        guard let folder else { return [] }
        let (path, manager) = ("\(folder)/\(Self.name).d", FileManager.default)
        guard manager.fileExists(atPath: path) else { return [] }
        do {
            let names = try manager.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".conf") }.sorted()
            return names.map { "\(path)/\($0)" }.filter { file in
                var isDirectory = false
                return manager.fileExists(atPath: file, isDirectory: &isDirectory) && !isDirectory
            }
        } catch {
            throw RegistriesConf.Failure(path: path, reason: "it cannot be read")
        }
    }
}
