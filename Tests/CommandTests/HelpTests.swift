import TestSupport
import Testing

@Suite struct HelpTests {
    private let terminal: Terminal

    init() throws { terminal = try Terminal() }

    @Test(arguments: ["bundle", "push", "copy", "list", "verify"])
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
        for command in ["bundle", "push", "copy", "images", "list", "verify", "merge"] {
            #expect(outcome.outputText.contains("\n  \(command) "))
        }
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
        (["bundle", "alpine", "-o", "x", "-p", "amd64"], "The value 'amd64' is invalid for '-p <os/arch[/variant]>'"),
        (["bundle", "alpine", "-o", "x", "-p", "linux/amd64,x"], "is invalid for '-p <os/arch[/variant]>'"),
        (["bundle", "alpine", "-o", "x", "--sparse", "keep"], "--sparse is about what -p leaves out"),
        (["bundle", "alpine", "-o", "x", "-p", "linux/amd64", "--sparse", "drop"], "--sparse takes strip or keep"),
        (["bundle", "alpine", "-o", "x", "--foreign", "yes"], "--foreign takes skip or include"),
        (["bundle", "alpine", "-o", "x", "--lock", "x"], "--lock and -o name the same file"),
        (["bundle", "alpine", "-o", "x", "--locked"], "--locked needs the file: --lock FILE"),
        (["bundle", "-o", "x", "--lock", "l", "--locked", "-p", "linux/amd64"], "--locked bundles what the lock says"),
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
        (["bundle", "a:*", "-o", "x", "--tags-semver", "one"], "\"one\" is not a valid range of versions"),
        (["bundle", "a:*", "-o", "x", "--tags-matching", "("], "\"(\" is no regular expression"),
        (["bundle", "a:*", "-o", "x", "--newest", "0"], "--newest takes a number from 1 on"),
        (["bundle", "a:*", "-o", "x", "--exclude", "a@b"], "\"a@b\" is not a valid pattern of images"),
        (["bundle", "--from", "a.tar", "-o", "x", "--newest", "1"], "--newest is about images from registries"),
        (["bundle", "a", "-o", "x", "--spool", "d"], "--spool and --name are about the file of --from"),
        (["bundle", "a", "-o", "x", "--guess"], "--guess is about the files of -f"),
        (["bundle", "-o", "x", "--exclude", "a"], "are about a list of images; give one"),
        (["bundle", "--from", "a.tar", "-o", "x", "-p", "linux/amd64"], "-p is about images from registries"),
        (
            ["bundle", "--from", "a.tar", "-o", "x", "--verify-key", "k"],
            "--verify-key is about images from registries"
        ),
        (["bundle", "--from", "a.tar", "-o", "x", "--name", "A/b/C"], "--name: \"A/b/C\" is not a valid reference"),
        (["merge", "-o", "x"], "Missing expected argument '<bundles> ...'"),
        (["merge", "a.tar"], "Missing expected argument '--output <output>'"),
        (["copy"], "Missing expected argument '<target>'"),
        (["copy", "alpine", "site.io/Upper"], "\"site.io/Upper\" names no registry"),
        (["copy", "alpine", "site.io", "--lock", "l"], "a lock is written by bundle"),
        (["images"], "Missing expected argument '<files> ...'"),
        (["images", "x", "--keep-host"], "--keep-host and --original are about --rewrite TARGET"),
        (["images", "x", "--rewrite", "site.io", "--original"], "--original needs --keep-host"),
        (["images", "x", "--rewrite", "site.io", "--json"], "--rewrite prints the files; it goes without --json"),
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
