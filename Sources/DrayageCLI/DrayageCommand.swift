import ArgumentParser
import CLinux
import Drayage
import Glibc

/// The `drayage` command.
@main
struct DrayageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drayage",
        abstract: "Carries container images across an air gap.",
        discussion: """
            On the connected machine, images become one file:

              drayage bundle -f images.txt -o bundle.tar

            Inside the gap, the file becomes images in a registry:

              drayage push bundle.tar registry.site:5000

            There, the registry is cut down to what is required:

              drayage prune registry.site:5000 -f required.txt

            Where there is no registry yet, the file is one:

              drayage serve bundle.tar --listen 0.0.0.0:5000

            Exit codes: 0 done, 1 failed, 2 partly done (the report says which), 3 content does not verify, \
            4 not authorised, 64 usage, 130 interrupted.
            """,
        version: Report.drayageVersion,
        subcommands: [
            BundleCommand.self, PushCommand.self, CopyCommand.self, ImagesCommand.self, ListCommand.self,
            VerifyCommand.self, RepairCommand.self, MergeCommand.self, PruneCommand.self, ServeCommand.self,
            CheckCommand.self, LoginCommand.self, LogoutCommand.self,
        ]
    )

    static func main() async {
        // A closed pipe and a file-size limit are errors of the write that meets them, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        await main(nil)
    }
}
