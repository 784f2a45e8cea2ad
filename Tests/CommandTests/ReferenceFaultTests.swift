import TestSupport
import Testing

/// References and lists that cannot be used.
@Suite struct ReferenceFaultTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    @Test func `each text that is no reference is named with its file and line`() async throws {
        try terminal.scratch.write("# images\nalpine:3.20\nalpine:3.20:1\n\nlibrary/Alpine:3\n", to: "images.txt")
        let outcome = try await terminal.drayage(
            "bundle",
            "sha256:x y",
            "-f",
            "images.txt",
            "-f",
            "-",
            "-o",
            "bundle.tar",
            input: "ok:1\n@\n"
        )
        expect(
            outcome,
            status: 64,
            errors: """
                error: argument: "sha256:x y" is not a valid reference: a tag is 1 to 128 of A-Z a-z 0-9 _ . - \
                and begins with none of the last two, at character 9 (" ")
                error: images.txt:3: "alpine:3.20:1" is not a valid reference: a tag is 1 to 128 of A-Z a-z 0-9 _ . - \
                and begins with none of the last two, at character 12 (":")
                error: images.txt:5: "library/Alpine:3" is not a valid reference: a repository name must be lower case, \
                at character 9 ("A")
                error: stdin:2: "@" is not a valid reference: it has the wrong form, at character 1 ("@")

                """
        )
        #expect(try terminal.scratch.names() == ["images.txt"])
    }

    /// A list without a reference in it.
    @Test(arguments: ["", "\n\n", "# all are comments\n  # this too\n"])
    func `an empty list is refused`(text: String) async throws {
        try terminal.scratch.write(text, to: "images.txt")
        for file in ["images.txt", "-"] {
            let outcome = try await terminal.drayage("bundle", "-f", file, "-o", "bundle.tar", input: text)
            expect(
                outcome,
                status: 64,
                errors: "error: the list of images is empty: \(file == "-" ? "stdin" : file) names no image\n"
            )
        }
        #expect(try terminal.scratch.names() == ["images.txt"])
    }

    @Test func `a list that cannot be read is named`() async throws {
        expect(
            try await terminal.drayage("bundle", "-f", "none.txt", "-o", "bundle.tar"),
            status: 1,
            errors: "error: reading the list none.txt: no such file or directory\n"
        )
        try terminal.scratch.write([0x61, 0xff, 0xfe], to: "binary.txt")
        expect(
            try await terminal.drayage("bundle", "-f", "binary.txt", "-o", "bundle.tar"),
            status: 1,
            errors: "error: reading the list binary.txt: it is not text in UTF-8\n"
        )
        #expect(try terminal.scratch.names() == ["binary.txt"])
    }

    @Test func `an unknown image is named, with what the registry says`() async throws {
        let registry = try DockerRegistry()
        expect(
            try await terminal.drayage("bundle", "\(registry.address)/team/none:1", "-o", "bundle.tar"),
            status: 1,
            errors: """
                error: fetching the manifest of \(registry.address)/team/none:1: \
                GET http://\(registry.address)/v2/team/none/manifests/1 answered 404: \
                not found (MANIFEST_UNKNOWN: manifest unknown)
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `an unknown host is named`() async throws {
        expect(
            try await terminal.drayage("bundle", "registry.invalid/app:1", "-o", "bundle.tar"),
            status: 1,
            errors: """
                error: fetching the manifest of registry.invalid/app:1: \
                GET https://registry.invalid/v2/app/manifests/1: \
                the host is unknown (registry.invalid has no address)
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `a refused connection is named`() async throws {
        let address = try ScriptedRegistry.refusingAddress()
        expect(
            try await terminal.drayage("bundle", "\(address)/app:1", "-o", "bundle.tar"),
            status: 1,
            errors: """
                error: fetching the manifest of \(address)/app:1: GET http://\(address)/v2/app/manifests/1: \
                no connection (connection refused)
                bundle failed: 1 failure

                """
        )
        #expect(try terminal.scratch.names() == [])
    }

    @Test func `a server that speaks no TLS, and one that speaks no HTTP, is told`() async throws {
        let plain = try DockerRegistry()
        let secure = try await terminal.drayage("list", "https://\(plain.address)")
        #expect(secure.status == 1)
        #expect(
            secure.errorText.hasSuffix(
                """
                : no connection (the server does not speak TLS there; --plain-http \(plain.address) says that it need \
                not)

                """
            ),
            "\(secure.errorText)"
        )
        let other = try ScriptedRegistry { _ in .raw(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)) }
        let outcome = try await terminal.drayage("list", other.address)
        #expect(outcome.status == 1)
        #expect(
            outcome.errorText.hasSuffix(": the connection was lost (the answer is cut off or is not HTTP)\n"),
            "\(outcome.errorText)"
        )
    }
}
