import TestSupport
import Testing

@Suite struct HelpTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    @Test(arguments: ["bundle", "push", "list", "verify"])
    func `the help of each command has an example and its options`(command: String) async throws {
        let outcome = try await terminal.drayage(command, "--help")
        #expect(outcome.status == 0)
        #expect(outcome.errorText == "")
        #expect(outcome.outputText.contains("Example:\n\n  drayage \(command) "))
        for option in ["--json", "--report", "--quiet", "--plain-http", "--insecure", "--ca-file", "--password-stdin"] {
            #expect(outcome.outputText.contains(option))
        }
    }

    @Test(arguments: [[], ["--help"], ["help"]])
    func `the help of the whole names each command and the exit codes`(arguments: [String]) async throws {
        let outcome = try await terminal.command(arguments).run()
        #expect(outcome.status == 0)
        #expect(outcome.errorText == "")
        for command in ["bundle", "push", "list", "verify"] { #expect(outcome.outputText.contains("\n  \(command) ")) }
        #expect(outcome.outputText.contains("Exit codes: 0 done, 1 failed, 2 partly done"))
    }

    @Test func `the version is one line`() async throws {
        let outcome = try await terminal.drayage("--version")
        #expect(outcome.status == 0)
        #expect(outcome.outputText.wholeMatch(of: /[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?\n/) != nil)
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `a completion script is generated`(shell: String) async throws {
        let outcome = try await terminal.drayage("--generate-completion-script", shell)
        #expect(outcome.status == 0)
        #expect(outcome.outputText.contains("keep-going"))
        if shell == "bash" {
            let path = try terminal.scratch.write(outcome.output, to: "completion")
            #expect(try await Command("bash", ["-n", path]).run().status == 0)
        }
    }

    /// A command line that is wrong as it stands, and what is said of it.
    @Test(arguments: [
        (["--nonsense"], "Unknown option '--nonsense'"),
        (["nonsense"], "Unexpected argument 'nonsense'"),
        (["bundle", "alpine", "-o", "x", "--nonsense"], "Unknown option '--nonsense'"),
        (["bundle", "alpine"], "Missing expected argument '-o <output>'"),
        (["bundle", "alpine", "-o", ""], "-o takes the name of a file"),
        (["bundle", "alpine", "-o", "-"], "A bundle is a file; it is not written to stdout"),
        (["bundle", "alpine", "-o", "x", "-j", "0"], "-j takes a number from 1 to 1024"),
        (["bundle", "alpine", "-o", "x", "-j", "many"], "The value 'many' is invalid for '-j <parallelism>'"),
        (["bundle", "alpine", "-o", "x", "--mirror", "docker.io"], "is not REGISTRY[/PREFIX]=MIRROR[:PORT][/PREFIX]"),
        (["repair", "x.tar", "--mirror", "docker.io=http://m.io"], "a mirror is named as in a reference"),
        (["push", "x.tar", "site.io", "--mirror", "docker.io=m.io"], "Unknown option '--mirror'"),
        (["bundle", "alpine", "-o", "x", "--header", "a.io"], "--header takes HOST=NAME:VALUE"),
        (["bundle", "alpine", "-o", "x", "--header", "a.io=X"], "--header takes HOST=NAME:VALUE"),
        (["bundle", "alpine", "-o", "x", "--header", "a.io/b=X:1"], "names no host"),
        (["bundle", "alpine", "-o", "x", "--header", "a.io=Authorization:x"], "drayage itself sets"),
        (["push", "x.tar", "site.io", "--header", "a.io=X:a\nHost: b"], "the value of X is none"),
        (["bundle", "alpine", "-o", "x", "-u", "me"], "--username and --password-stdin go together"),
        (["bundle", "alpine", "-o", "x", "--password-stdin"], "--username and --password-stdin go together"),
        (["push", "x.tar"], "Missing expected argument '<target>'"),
        (["push", "x.tar", "site.io", "--on-existing", "ask"], "--on-existing takes overwrite, skip or fail"),
        (["push", "x.tar", "site.io", "--chunk-size", "big"], "The value 'big' is invalid for '--chunk-size <size>'"),
        (["push", "x.tar", "site.io", "--chunk-size", "1.5G"], "The value '1.5G' is invalid for"),
        (["push", "x.tar", "site.io", "--chunk-size", "99999999999G"], "The value '99999999999G' is invalid for"),
        (["push", "x.tar", "site.io", "--chunk-size", "1MB"], "--chunk-size takes a size from 1MiB on"),
        (["push", "x.tar", "site.io", "--chunk-size", "16"], "--chunk-size takes a size from 1MiB on"),
        (["push", "x.tar", "site.io/Upper"], "\"site.io/Upper\" names no registry"),
        (["list"], "Missing expected argument '<subject>'"),
        (["verify"], "Missing expected argument '<bundle>'"),
    ])
    func `a command line that is wrong ends with 64 and says why`(arguments: [String], reason: String) async throws {
        let outcome = try await terminal.command(arguments).run()
        #expect(outcome.status == 64)
        #expect(outcome.outputText == "")
        #expect(outcome.errorText.contains(reason), "\(outcome.errorText)")
        #expect(try terminal.scratch.names() == [])
    }
}
