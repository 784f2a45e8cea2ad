import Drayage
import Testing

@Suite struct ImageListTests {
    /// A list and the references that it gives, in its order.
    @Test(arguments: [
        ("alpine:3.20\n", ["docker.io/library/alpine:3.20"]),
        // No tag and no digest is `latest`.
        ("alpine", ["docker.io/library/alpine:latest"]),
        // Blank lines and comments; a comment may follow a blank.
        ("\n  \n# all of it\n\t# and this\nalpine:1 # the base\n", ["docker.io/library/alpine:1"]),
        // White space around a reference.
        ("  alpine:1\t\n", ["docker.io/library/alpine:1"]),
        // Windows line ends, and a byte order mark.
        ("\u{feff}alpine:1\r\nalpine:2\r\n", ["docker.io/library/alpine:1", "docker.io/library/alpine:2"]),
        ("alpine:1\ralpine:2", ["docker.io/library/alpine:1", "docker.io/library/alpine:2"]),
        // Duplicates fold once they are normalised; the first place counts.
        (
            "b:1\nalpine\nindex.docker.io/library/alpine:latest\ndocker.io/alpine\nb:1",
            ["docker.io/library/b:1", "docker.io/library/alpine:latest"]
        ),
        // A tag and a digest of one image are two references.
        (
            "r.io/a:1\nr.io/a@sha256:\(String(repeating: "a", count: 64))",
            ["r.io/a:1", "r.io/a@sha256:\(String(repeating: "a", count: 64))"]
        ),
    ])
    func `a list gives its references`(text: String, references: [String]) throws {
        var list = ImageList()
        list.add(contentsOf: text, name: "images.txt")
        #expect(try list.checked().map(\.description) == references)
    }

    @Test func `arguments and several lists are one list`() throws {
        var list = ImageList()
        list.add(argument: "alpine:1")
        list.add(contentsOf: "b:1\nalpine:1", name: "one")
        list.add(contentsOf: "c:1\nb:1", name: "two")
        #expect(try list.checked().map(\.repository.path) == ["library/alpine", "library/b", "library/c"])
    }

    @Test func `a line that is no reference is named with its file and line`() {
        var list = ImageList()
        list.add(contentsOf: "alpine:1\r\n# two\r\n\r\nUpper/Case:1\r\n", name: "images.txt")
        let error = #expect(throws: DrayageError.self) { try list.checked() }
        #expect(error?.code == .invalidList)
        #expect(
            error?.message == """
                images.txt:4: "Upper/Case:1" is not a valid reference: a repository name must be lower case, \
                at character 7 ("C")
                """
        )
    }

    @Test func `all bad lines are told together`() {
        var list = ImageList()
        list.add(argument: "a:1:2")
        list.add(contentsOf: "alpine:1\nalpine: 1\n", name: "one")
        list.add(contentsOf: "alpine#1\n", name: "two")
        let error = #expect(throws: DrayageError.self) { try list.checked() }
        #expect(error?.code == .invalidList)
        #expect(
            error?.message.split(separator: "\n").map { $0.prefix { $0 != "\"" } } == [
                "argument: ", "one:2: ", "two:1: ",
            ]
        )
    }

    @Test(arguments: ["", "\n", "# nothing\n", "\u{feff}"])
    func `an empty list is refused`(text: String) {
        var list = ImageList()
        list.add(contentsOf: text, name: "images.txt")
        let error = #expect(throws: DrayageError.self) { try list.checked() }
        #expect(error?.code == .emptyList)
        #expect(error?.description == "the list of images is empty: images.txt names no image")
        let nothing = #expect(throws: DrayageError.self) { try ImageList().checked() }
        #expect(
            nothing?.description
                == "the list of images is empty: give references as arguments, or a file of them with -f"
        )
    }

    @Test func `control characters of a list are shown as escapes`() {
        var list = ImageList()
        list.add(contentsOf: "alp\u{1b}[2Jine", name: "im\u{7}ages")
        let error = #expect(throws: DrayageError.self) { try list.checked() }
        #expect(
            error?.description
                == #"im\u{07}ages:1: "alp\u{1B}[2Jine" is not a valid reference: it has the wrong form, at character 4 ("\u{1B}")"#
        )
    }
}
