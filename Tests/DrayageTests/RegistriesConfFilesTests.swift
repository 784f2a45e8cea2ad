import TestSupport
import Testing

@testable import Drayage

/// Which files there are, and which of them counts.
@Suite struct RegistriesConfFilesTests {
    /// A machine with files, each a registry that is named as its file is.
    private struct Machine {
        let scratch: ScratchDirectory
        var environment: [String: String]

        init() throws {
            scratch = try ScratchDirectory()
            environment = ["HOME": scratch.path("home")]
        }

        func add(_ path: String, to prefix: String = "a.io") throws {
            let name = path.split(separator: "/").joined(separator: "-").replacing(".", with: "-").lowercased()
            try scratch.write("[[registry]]\nprefix = \"\(prefix)\"\nlocation = \"\(name).io\"", to: path)
        }

        var files: RegistriesConfFiles {
            RegistriesConfFiles(environment: environment, systemFolder: scratch.path("etc"))
        }

        var names: [String] {
            get throws { try files.paths().map { String($0.dropFirst(scratch.path.utf8.count + 1)) } }
        }
    }

    @Test func `without files there are no rules`() throws {
        var machine = try Machine()
        #expect(try machine.files.content().rules.isEmpty)
        machine.environment = [:]
        #expect(try machine.files.content().rules.isEmpty)
    }

    @Test func `the machine's files come first, then the user's, each folder in its order`() throws {
        let machine = try Machine()
        try machine.add("home/.config/containers/registries.conf.d/05.conf")
        for name in ["10-b.conf", "09.conf", "10-a.conf", "note.txt", "deep.conf/x.conf"] {
            try machine.add("etc/registries.conf.d/\(name)")
        }
        try machine.add("etc/registries.conf")
        #expect(
            try machine.names == [
                "etc/registries.conf", "etc/registries.conf.d/09.conf", "etc/registries.conf.d/10-a.conf",
                "etc/registries.conf.d/10-b.conf", "home/.config/containers/registries.conf.d/05.conf",
            ]
        )
        #expect(
            try machine.files.content().rules.map(\.location?.registry) == [
                "home--config-containers-registries-conf-d-05-conf.io"
            ]
        )
    }

    @Test func `a file of the user's own stands for the machine's`() throws {
        var machine = try Machine()
        for folder in ["etc", "home/.config/containers", "xdg/containers"] {
            try machine.add("\(folder)/registries.conf")
            try machine.add("\(folder)/registries.conf.d/1.conf")
        }
        #expect(
            try machine.names == [
                "home/.config/containers/registries.conf", "home/.config/containers/registries.conf.d/1.conf",
            ]
        )
        machine.environment["XDG_CONFIG_HOME"] = machine.scratch.path("xdg")
        #expect(try machine.names == ["xdg/containers/registries.conf", "xdg/containers/registries.conf.d/1.conf"])
        machine.environment["CONTAINERS_REGISTRIES_CONF"] = machine.scratch.path("etc/registries.conf")
        // It is in the place of the files, and not of the drop-ins.
        #expect(
            try machine.names == [
                "etc/registries.conf", "etc/registries.conf.d/1.conf", "xdg/containers/registries.conf.d/1.conf",
            ]
        )
    }

    @Test func `a later file replaces a rule, and lets the others stand`() throws {
        let machine = try Machine()
        try machine.add("etc/registries.conf")
        try machine.add("etc/registries.conf.d/1.conf", to: "b.io")
        try machine.add("etc/registries.conf.d/2.conf", to: "a.io")
        let rules = try machine.files.content().rules
        #expect(rules.map(\.prefix.description) == ["a.io", "b.io"])
        #expect(rules.map { $0.path.split(separator: "/").last } == ["2.conf", "1.conf"])
    }

    @Test func `the last list of credential helpers counts`() throws {
        let machine = try Machine()
        try machine.scratch.write("credential-helpers = ['a', 'b']", to: "etc/registries.conf")
        try machine.add("etc/registries.conf.d/1.conf")
        #expect(try machine.files.content().credentialHelpers == ["a", "b"])
        try machine.scratch.write("credential-helpers = ['c']", to: "etc/registries.conf.d/2.conf")
        #expect(try machine.files.content().credentialHelpers == ["c"])
    }

    @Test func `a file that is named and not there, and one that is none, are errors`() throws {
        var machine = try Machine()
        machine.environment["CONTAINERS_REGISTRIES_CONF"] = machine.scratch.path("none")
        let missing = #expect(throws: RegistriesConf.Failure.self) { try machine.files.content() }
        #expect(
            missing?.description == "reading the mirrors in \(machine.scratch.path("none")): no such file or directory"
        )
        machine.environment["CONTAINERS_REGISTRIES_CONF"] = machine.scratch.path
        #expect(throws: RegistriesConf.Failure.self) { try machine.files.content() }
        try machine.scratch.write(Array(repeating: UInt8(ascii: "#"), count: (1 << 20) + 1), to: "large")
        machine.environment["CONTAINERS_REGISTRIES_CONF"] = machine.scratch.path("large")
        let large = #expect(throws: RegistriesConf.Failure.self) { try machine.files.content() }
        #expect(large?.reason == "it has more than 1048576 bytes")
        machine.environment["CONTAINERS_REGISTRIES_CONF"] = "/dev/null"
        #expect(try machine.files.content().rules.isEmpty)
    }
}
