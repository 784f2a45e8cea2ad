import Foundation
import OCI
import TestSupport
import Testing

@testable import ImageLayout

@Suite struct PartialFileTests {
    let scratch: ScratchDirectory
    let plan: LayoutPlan

    init() throws {
        scratch = try ScratchDirectory()
        var builder = ImageBuilder(seed: 1)
        plan = try NamedImages([("r.example/a:1", builder.image())]).plan
    }

    private var path: String { scratch.path("bundle.tar") }
    private var partialPath: String { path + ".partial" }

    private func open() throws(LayoutError) -> LayoutWriter {
        try LayoutWriter(plan: plan, path: path, replaceExisting: false)
    }

    @Test func `a file that another run of this process fills is refused`() throws {
        let writer = try open()
        let error = try #require(throws: LayoutError.self) { try open() }
        // A process cannot ask for its own locks.
        #expect(error.code == .beingFilled(processID: nil))
        #expect(error.path == partialPath)
        #expect(error.description == "writing \(partialPath): another run is filling it")
        #expect(try scratch.names() == ["bundle.tar.partial", "bundle.tar.partial.journal"])
        writer.abandon()
        #expect(throws: Never.self) { try open().abandon() }
    }

    @Test func `a file that another process fills is refused with its id, and taken over when it is killed`() throws {
        #expect(mkfifo(scratch.path("ready"), 0o600) == 0)
        // The locks of CLinux: one that belongs to the open file, one that names the process.
        let script = """
            use Fcntl;
            open(F, '+>', $ARGV[0]) or die; 
            for ([37, 9223372036854775805], [F_SETLK, 9223372036854775806]) {
                fcntl(F, $$_[0], pack('s s x4 q q l x4', F_WRLCK, 0, $$_[1], 1, 0)) or die "$!";
            }
            open(R, '>', $ARGV[1]) or die; print R 'ready'; close(R);
            sleep;
            """
        let other = try Command("perl", ["-MIO::Handle", "-e", script, partialPath, scratch.path("ready")]).start()
        // Opening it waits for the other end.
        let ready = Glibc.open(scratch.path("ready"), O_RDONLY)
        var text = [UInt8](repeating: 0, count: 5)
        #expect(read(ready, &text, 5) == 5)
        close(ready)
        let error = try #require(throws: LayoutError.self) { try open() }
        #expect(error.code == .beingFilled(processID: other.pid))
        #expect(error.description == "writing \(partialPath): another run (process \(other.pid)) is filling it")
        other.signal(SIGKILL)
        _ = other.wait()
        let writer = try open()
        let size = try FileManager.default.attributesOfItem(atPath: partialPath)[.size] as? Int64
        #expect(size == plan.byteCount)
        writer.abandon()
        #expect(try scratch.names() == ["ready"])
    }

    @Test func `a file that is none of ours is refused and left alone`() throws {
        try scratch.write("precious", to: "bundle.tar.partial")
        let error = try #require(throws: LayoutError.self) { try open() }
        #expect(error.path == partialPath)
        #expect(error.code == .partialReplaced)
        #expect(try scratch.names() == ["bundle.tar.partial"])
        #expect(try scratch.read("bundle.tar.partial") == Array("precious".utf8))
    }

    @Test func `an empty file is as good as none`() throws {
        try scratch.write("", to: "bundle.tar.partial")
        let writer = try open()
        try writer.seal()
        #expect(try scratch.names() == ["bundle.tar"])
    }

    @Test func `whoever has another name for the file keeps its content`() throws {
        let writer = try open()
        #expect(link(partialPath, scratch.path("kept")) == 0)
        writer.abandon()
        #expect(try scratch.names() == ["kept"])
        #expect(try scratch.read("kept").count == Int(plan.byteCount))
    }

    @Test(arguments: ["link", "dangling", "directory", "pipe"])
    func `something else in the place of the file is refused and left alone`(what: String) throws {
        let kinds = ["directory": "a directory", "pipe": "a pipe"]
        try scratch.write("precious", to: "target")
        switch what {
        case "link": #expect(symlink(scratch.path("target"), partialPath) == 0)
        case "dangling": #expect(symlink(scratch.path("nowhere"), partialPath) == 0)
        case "directory": #expect(mkdir(partialPath, 0o755) == 0)
        default: #expect(mkfifo(partialPath, 0o600) == 0)
        }
        let before = try scratch.names()
        let error = try #require(throws: LayoutError.self) { try open() }
        #expect(error.code == .notRegularFile(kind: kinds[what] ?? "a symbolic link"))
        #expect(error.path == partialPath)
        #expect(try scratch.names() == before)
        #expect(try scratch.read("target") == Array("precious".utf8))
    }

    @Test(arguments: [true, false])
    func `a partial file that was removed or replaced is not sealed`(isReplaced: Bool) throws {
        let writer = try open()
        #expect(unlink(partialPath) == 0)
        if isReplaced { try scratch.write("another run's", to: "bundle.tar.partial") }
        let error = try #require(throws: LayoutError.self) { try writer.seal() }
        #expect(error.code == .partialReplaced)
        writer.abandon()
        // Beside a file of somebody else's the journal stays: it may be of that.
        #expect(try scratch.names() == (isReplaced ? ["bundle.tar.partial", "bundle.tar.partial.journal"] : []))
    }

    @Test func `a path in the working directory needs no slash`() throws {
        let name = "drayage-test-\(getpid()).tar"
        defer { unlink(name) }
        let writer = try LayoutWriter(plan: plan, path: name, replaceExisting: false)
        try writer.seal()
        #expect(access(name, F_OK) == 0)
    }
}
