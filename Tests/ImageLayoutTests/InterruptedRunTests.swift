import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

/// How a run ends, and who may go on with what it leaves.
@Suite struct InterruptedRunTests {
    let scratch: ScratchDirectory
    let bundle: InterruptedBundle

    init() throws {
        scratch = try ScratchDirectory(inMemory: true)
        bundle = try InterruptedBundle(InterruptedBundle.images(), in: scratch.path)
    }

    // MARK: - How a run ends

    @Test func `a run keeps what it has, unless that is nothing`() throws {
        let writer = try bundle.begin()
        #expect(!writer.keep())
        #expect(try bundle.names().isEmpty)
        let second = try bundle.begin()
        try second.slot(for: bundle.plan.blobs[0]).note(prefix: 1)
        #expect(second.keep())
        #expect(try bundle.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
        second.abandon()
        #expect(try bundle.names().isEmpty)
    }

    @Test func `what is opened and let go stays as it is`() throws {
        try bundle.kill { writer in
            for blob in bundle.plan.blobs { try KilledRun.write(blob, of: bundle, writer) }
            try writer.checkpoint()
        }
        let saved = try bundle.saved()
        for _ in 0..<3 {
            #expect(try bundle.open()?.byteCount == bundle.plan.blobs.reduce(0) { $0 + $1.descriptor.size })
        }
        #expect(try bundle.saved() == saved)
    }

    @Test func `the journal of a bundle that is done is swept`() throws {
        do {
            let writer = try bundle.begin()
            #expect(link(bundle.journalPath, scratch.path("journal")) == 0)
            try bundle.finish(writer)
        }
        // A run that was killed right after it had given the file its name.
        #expect(rename(scratch.path("journal"), bundle.journalPath) == 0)
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter.checkOutput(bundle.path, replacesExisting: false)
        }
        #expect(error.code == .outputExists)
        try bundle.expectFinished()
    }

    @Test func `a stray journal is in nobody's way`() throws {
        for text in ["drayage.journal.v2 stray", "drayage.journal.v1 older", "", "\0\0\0"] {
            try scratch.write(text, to: "bundle.tar.partial.journal")
            #expect(try bundle.open() == nil)
            try bundle.finish(bundle.begin())
            try bundle.expectFinished()
            unlink(bundle.path)
        }
    }

    @Test func `what is no journal of ours is refused and left alone`() throws {
        try scratch.write("precious", to: "bundle.tar.partial.journal")
        let error = try #require(throws: LayoutError.self) { try bundle.begin() }
        #expect(error.code == .notContinuable(reason: "it is no journal of ours"))
        #expect(error.path == bundle.journalPath)
        #expect(try scratch.names() == ["bundle.tar.partial.journal"])
        #expect(try scratch.read("bundle.tar.partial.journal") == Array("precious".utf8))
    }

    @Test(.enabled(if: geteuid() == 0, "only root gives files away"), arguments: ["", ".journal"])
    func `what is another user's is refused and left alone`(suffix: String) throws {
        try bundle.kill { try $0.slot(for: bundle.plan.blobs[0]).note(prefix: 1) }
        // To itself everything of its own is another's then.
        #expect(chown(bundle.partialPath + suffix, 65_534, 65_534) == 0)
        let error = try #require(throws: LayoutError.self) { try bundle.open() }
        #expect(error.code == .notContinuable(reason: "it is another user's"))
        #expect(error.path == bundle.partialPath + suffix)
        #expect(try scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
    }

    @Test func `a second name of the bundle, which a kill may leave where there is no other way, goes`() throws {
        for replaces in [false, true] {
            try bundle.finish(bundle.begin())
            #expect(link(bundle.path, bundle.partialPath) == 0)
            try scratch.write("drayage.journal.v2 stray", to: "bundle.tar.partial.journal")
            if replaces {
                #expect(try bundle.open() == nil)
            } else {
                #expect(throws: LayoutError.self) {
                    try LayoutWriter.checkOutput(bundle.path, replacesExisting: false)
                }
                #expect(try scratch.names() == ["bundle.tar"])
            }
            #expect(try !scratch.names().contains("bundle.tar.partial"))
            unlink(bundle.journalPath)
            try bundle.expectFinished()
        }
    }

    @Test func `a name that leaves no room for those beside it is an error that leaves nothing`() throws {
        let path = scratch.path(String(repeating: "n", count: 240))
        let error = try #require(throws: LayoutError.self) {
            try LayoutWriter(plan: bundle.plan, path: path, replaceExisting: false)
        }
        guard case .system(_, ENAMETOOLONG) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(try scratch.names() == [])
    }

    // MARK: - Two runs

    @Test func `what another run of this process fills is not opened`() throws {
        let writer = try bundle.begin()
        let first = try #require(throws: LayoutError.self) { try InterruptedLayout.open(for: bundle.path) }
        #expect(first.code == .beingFilled(processID: nil))
        try writer.slot(for: bundle.plan.blobs[0]).note(prefix: 1)
        #expect(writer.keep())
        // It is still there.
        #expect(throws: LayoutError.self) { try InterruptedLayout.open(for: bundle.path) }
        #expect(try bundle.saved().journal.isEmpty == false)
        writer.abandon()
    }

    @Test func `what was opened is locked until it is let go, or its writer is`() throws {
        try bundle.kill { try KilledRun.write(bundle.plan.blobs[0], of: bundle, $0) }
        var layout = try bundle.open()
        #expect(throws: LayoutError.self) { try InterruptedLayout.open(for: bundle.path) }
        #expect(throws: LayoutError.self) {
            try LayoutWriter(plan: bundle.plan, path: bundle.path, replaceExisting: false)
        }
        var writer = try LayoutWriter(continuing: #require(layout), replaceExisting: false) as LayoutWriter?
        layout = nil
        #expect(throws: LayoutError.self) { try InterruptedLayout.open(for: bundle.path) }
        #expect(writer != nil)
        writer = nil
        #expect(try bundle.open() != nil)
    }

    @Test func `what another process fills is not opened before that is killed`() throws {
        try bundle.kill { try KilledRun.write(bundle.plan.blobs[0], of: bundle, $0) }
        let saved = try bundle.saved()
        let holder = try LockHolder(of: bundle.partialPath, in: scratch)
        let error = try #require(throws: LayoutError.self) { try InterruptedLayout.open(for: bundle.path) }
        #expect(error.code == .beingFilled(processID: holder.command.pid))
        #expect(error.path == bundle.partialPath)
        #expect(try bundle.saved() == saved)
        holder.kill()
        #expect(try bundle.finish(bundle.resume()) > 0)
        try bundle.expectFinished()
    }
}

/// Another process that holds the locks of a file, as a run does.
struct LockHolder {
    let command: RunningCommand

    init(of path: String, in scratch: ScratchDirectory) throws {
        let ready = scratch.path("ready")
        guard mkfifo(ready, 0o600) == 0 else { throw SystemError("making a pipe") }
        defer { unlink(ready) }
        // The locks of CLinux: one that belongs to the open file, one that names the process.
        let script = """
            use Fcntl;
            open(F, '+>>', $ARGV[0]) or die;
            for ([37, 9223372036854775805], [F_SETLK, 9223372036854775806]) {
                fcntl(F, $$_[0], pack('s s x4 q q l x4', F_WRLCK, 0, $$_[1], 1, 0)) or die "$!";
            }
            open(R, '>', $ARGV[1]) or die; print R 'ready'; close(R);
            sleep;
            """
        command = try Command("perl", ["-MIO::Handle", "-e", script, path, ready]).start()
        // Opening it waits for the other end.
        let descriptor = Glibc.open(ready, O_RDONLY)
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 5)
        guard read(descriptor, &text, 5) == 5 else { throw SystemError("waiting for the locks") }
    }

    func kill() {
        command.signal(SIGKILL)
        _ = command.wait()
    }
}
