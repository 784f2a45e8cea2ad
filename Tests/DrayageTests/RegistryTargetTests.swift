import Drayage
import Testing

@Suite struct RegistryTargetTests {
    /// A target with its registry and prefix.
    @Test(arguments: [
        ("registry.site", "registry.site", nil),
        ("registry.site:5000", "registry.site:5000", nil),
        // What follows the host is always a prefix of repositories, however many components it has.
        ("registry.site/mirror", "registry.site", "mirror"),
        ("registry.site:5000/a/b-c/d__e", "registry.site:5000", "a/b-c/d__e"),
        // A slash at the end says nothing.
        ("registry.site/", "registry.site", nil),
        ("registry.site/mirror///", "registry.site", "mirror"),
        // Schemes.
        ("https://registry.site", "registry.site", nil),
        ("http://registry.site:80/mirror/", "registry.site:80", "mirror"),
        // Loopback and IPv6.
        ("localhost:5000", "localhost:5000", nil),
        ("[::1]", "[::1]", nil),
        ("[fd00::1]:5000/mirror", "[fd00::1]:5000", "mirror"),
        ("https://[::1]:5000", "[::1]:5000", nil),
        // One name for Docker Hub.
        ("index.docker.io/me", "docker.io", "me"),
    ])
    func `a target is a registry and a prefix`(text: String, registry: String, prefix: String?) throws {
        let target = try RegistryTarget(parsing: text)
        #expect(target.registry == registry)
        #expect(target.prefix == prefix)
        #expect(target.description == registry + (prefix.map { "/" + $0 } ?? ""))
    }

    /// What is no target, and what is said of it after the text itself.
    @Test(arguments: [
        "", "/", "/mirror", "https://", "ftp://registry.site", "registry site", "registry.site/Mirror",
        "registry.site//mirror", "registry.site/a/../b", "registry.site/.a", "registry.site:port",
        "registry.site/a:tag",
        "registry.site/a@sha256:00", "user@registry.site", "[::1", "registry.site?x", "registry.site/a\u{1b}[2J",
    ])
    func `what names no registry is refused`(text: String) {
        let error = #expect(throws: DrayageError.self) { try RegistryTarget(parsing: text) }
        #expect(error?.code == .usage)
        #expect(error?.message == "\"\(text)\" names no registry")
        #expect(error?.underlying is ReferenceError)
        #expect(error?.description.contains("\u{1b}") == false)
        #expect(error.map { ExitStatus(of: $0) } == .usage)
    }
}
