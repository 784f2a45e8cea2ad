import ArgumentParser
import Drayage

/// `drayage merge`: several files become one.
struct MergeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Make one bundle of several.",
        discussion: """
            Each blob is copied once, within the kernel where it can, and verified. The files may be other programs' as \
            well; what they are is told by drayage push --help. To keep a part of a bundle, see drayage bundle --from.

            Example:

              drayage merge monday.tar tuesday.tar -o week.tar
            """
    )

    @Argument(help: "The bundles.", completion: .file(extensions: ["tar"]))
    var bundles: [String]

    @Option(
        name: [.customShort("o"), .long],
        help: "The file to write.",
        completion: .file(extensions: ["tar"])
    )
    var output: String

    @Flag(help: "Replace the file if it exists.")
    var force = false

    @Flag(help: "Plan an interrupted run again that was to make something else; what is still needed is kept.")
    var refresh = false

    @OptionGroup var reading: ReadingArguments
    @OptionGroup(title: "Output") var report: ReportArguments

    func validate() throws {
        guard output != "" else { throw ValidationError("-o takes the name of a file") }
        guard output != "-" else { throw ValidationError("A bundle is a file; it is not written to stdout") }
    }

    func run() async throws {
        try await report.run("merge") { progress in
            let synchronizer = Synchronizer(reading: try reading.options(), progress: progress)
            var options = Synchronizer.Options()
            options.replacesExisting = force
            options.refreshes = refresh
            return try await synchronizer.merge(bundles, to: output, options: options)
        }
    }
}
