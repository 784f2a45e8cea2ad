import ArgumentParser
import Drayage
import Glibc

/// `drayage images`: what files name as images, or the files with other names in them.
struct ImagesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        abstract: "Show the images that files name, or rewrite their names.",
        discussion: """
            What is read, and what counts as an image: the containers of Kubernetes' own objects; of other objects, \
            and of files of values, every field named image or images; the images of a kustomization; the services of a \
            Compose file; each line of a list. What is printed is a list for drayage bundle -f, with the places behind.

            With --rewrite the files are printed with each image under the name that push gives it in TARGET, and nothing \
            else of them changed; with --original as well, the other way round. kustomize matches the names of its images \
            with those in the manifests as they are written: rewrite either the kustomization or the manifests that it \
            uses, not both, or its entries match nothing any more.

            Example:

              helm template ./chart | drayage images -
              drayage images deploy/ compose.yaml
              drayage images --rewrite registry.site:5000 deploy.yaml | kubectl apply -f -
              drayage images --rewrite registry.site:5000 --keep-host --original deploy.yaml
            """
    )

    @Argument(help: "Files, or directories of YAML and JSON; - is stdin.", completion: .file())
    var files: [String]

    @Flag(help: "Take whatever else looks like a full reference too: in arguments, variables, annotations.")
    var guess = false

    @OptionGroup var unparsed: UnparsedArguments

    @Option(
        help: ArgumentHelp(
            "Print the files with the names that the images have in this registry, with a prefix if one follows.",
            valueName: "target"
        )
    )
    var rewrite: String?

    @OptionGroup var mapping: MappingArguments

    @Flag(help: "Undo --rewrite TARGET --keep-host.")
    var original = false

    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        guard rewrite != nil || (!original && !mapping.keepHost) else {
            throw ValidationError("--keep-host and --original are about --rewrite TARGET; give it as well")
        }
        guard !original || mapping.keepHost else {
            throw ValidationError(
                "--original needs --keep-host: without it the host that an image came from is dropped, and nothing tells it"
            )
        }
        guard rewrite == nil || !report.json else {
            throw ValidationError("--rewrite prints the files; it goes without --json")
        }
    }

    func run() async throws {
        try await report.run("images", printsText: rewrite == nil) { _ in
            var inventory = ImageInventory(ignoresProblems: unparsed.areIgnored)
            let finder = ImageFinder(guesses: guess)
            let paths = try files.flatMap { try ListFile.paths(at: $0) }
            guard let rewrite else {
                for path in paths {
                    inventory.add(finder.find(in: try ListFile.text(of: path), name: ListFile.name(of: path)))
                }
                return inventory.report
            }
            let mapping = try mapping.mapping(to: rewrite)
            var output = RewrittenFiles()
            for path in paths {
                let rewritten = try finder.rewrite(try ListFile.text(of: path), name: ListFile.name(of: path)) { text in
                    try original ? mapping.unwrap(text) : mapping.wrap(text)
                }
                inventory.add(rewritten.findings)
                output.add(rewritten.text)
            }
            // Half of it is not to be taken for the whole.
            if inventory.report.outcome == .done { try output.print() }
            return inventory.report
        }
    }
}

/// Files that are printed one after the other, as one.
private struct RewrittenFiles {
    private var text: [UInt8] = []

    mutating func add(_ file: [UInt8]) {
        if !text.isEmpty {
            if text.last != UInt8(ascii: "\n") { text.append(UInt8(ascii: "\n")) }
            if file.starts(with: "%".utf8) {
                // Directives come after the end of a document.
                text += "...\n".utf8
            } else if !ImageFinder.isList(file), !file.starts(with: "---".utf8) {
                text += "---\n".utf8
            }
        }
        text += file
    }

    func print() throws {
        guard OutputStream.standardOutput.write(String(decoding: text, as: UTF8.self)) else {
            throw OutputError(errno: errno)
        }
    }
}
