import Foundation
import TestSupport
import Testing

@testable import RegistryClient

@Suite struct DockerConfigTests {
    private static func auth(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private static func entry(_ key: String, _ text: String = "me:secret") -> String {
        #"{"auths":{"\#(key)":{"auth":"\#(auth(text))"}}}"#
    }

    private static func parse(_ text: String) throws -> DockerConfig {
        try DockerConfig.parse(Array(text.utf8), path: "/home/me/.docker/config.json")
    }

    /// A file, a registry, and the user and password that the file has for it.
    @Test(arguments: [
        (entry("r.example"), "r.example", "me:secret"),
        // A password may have a colon, and docker pads some with zero bytes.
        (entry("r.example", "me:se:cret\0\0"), "r.example", "me:se:cret"),
        // The colon is one, though an accent hides it.
        (entry("r.example", "me:\u{301}secret"), "r.example", "me:\u{301}secret"),
        (#"{"auths":{"r.example":{"username":"me","password":"secret"}}}"#, "r.example", "me:secret"),
        // A port belongs to the name.
        (entry("r.example:5000"), "r.example:5000", "me:secret"),
        (entry("r.example:5000"), "r.example", nil),
        (entry("r.example"), "r.example:5000", nil),
        // Of a URL the host is meant.
        (entry("https://r.example"), "r.example", "me:secret"),
        (entry("https://r.example:5000/v2/"), "r.example:5000", "me:secret"),
        // Docker Hub has several names.
        (entry("https://index.docker.io/v1/"), "docker.io", "me:secret"),
        (entry("index.docker.io"), "docker.io", "me:secret"),
        (entry("docker.io"), "docker.io", "me:secret"),
        (entry("registry-1.docker.io"), "docker.io", "me:secret"),
        (entry("https://index.docker.io/v1/"), "r.example", nil),
        // A name that only begins or ends the same is another one.
        (entry("r.example.evil"), "r.example", nil),
        (entry("evil-r.example"), "r.example", nil),
        // An entry that cannot be read is none, and does not spoil the others.
        (
            #"{"auths":{"a":{"auth":"%%%"},"b":{"auth":"\#(auth("no colon"))"},"r":{"auth":"\#(auth("u:p"))"}}}"#, "r",
            "u:p"
        ),
        (#"{"auths":{"a":5,"b":null,"c":{"auth":7},"d":[],"r":{"auth":"\#(auth("u:p"))"}}}"#, "r", "u:p"),
        (#"{"auths":{"a":{"auth":"%%%"}}}"#, "a", nil),
        (#"{"auths":{"a":{}}}"#, "a", nil),
        // Files without what is looked for, and with much else.
        ("{}", "r.example", nil),
        (#"{"auths":{},"credsStore":"desktop","HttpHeaders":{"a":"b"}}"#, "r.example", nil),
    ])
    func `the credentials of a registry are found`(text: String, registry: String, expected: String?) throws {
        let credentials = try Self.parse(text).credentials(for: registry)
        #expect(credentials.map { "\($0.username):\($0.password)" } == expected)
    }

    @Test func `an exact name counts before a URL of the same host`() throws {
        let text = #"""
            {"auths":{"https://r.example/v1/":{"username":"a","password":"x"},"r.example":{"username":"b","password":"x"}}}
            """#
        #expect(try Self.parse(text).credentials(for: "r.example")?.username == "b")
    }

    @Test(arguments: ["", "secret", "[]", #"{"auths":["secret"]}"#, #"{"auths":{"r":{"auth":"c2VjcmV0"}"#])
    func `what is no such file is an error that names it and tells nothing of it`(text: String) throws {
        let error = try #require(throws: CredentialsError.self) { try Self.parse(text) }
        #expect(error.path == "/home/me/.docker/config.json")
        #expect(error.description.contains("/home/me/.docker/config.json: it is not the JSON that docker writes"))
        #expect(!error.description.contains("secret") && !error.description.contains("c2Vj"))
    }

    @Test func `the file is found where docker has it`() throws {
        let scratch = try ScratchDirectory()
        try scratch.write(Self.entry("r", "home:x"), to: ".docker/config.json")
        try scratch.write(Self.entry("r", "said:x"), to: "other/config.json")
        let home = ["HOME": scratch.path]
        #expect(try DockerConfig.load(environment: home).credentials(for: "r")?.username == "home")
        let said = ["HOME": scratch.path, "DOCKER_CONFIG": scratch.path("other")]
        #expect(try DockerConfig.load(environment: said).credentials(for: "r")?.username == "said")
    }

    @Test func `a file that is not there is empty`() throws {
        let scratch = try ScratchDirectory()
        #expect(try DockerConfig.load(environment: ["HOME": scratch.path]).credentials(for: "r") == nil)
        #expect(try DockerConfig.load(environment: [:]).credentials(for: "r") == nil)
    }

    @Test func `a file that cannot be read is an error`() throws {
        let scratch = try ScratchDirectory()
        // A directory of that name: even root cannot read it.
        try scratch.write("", to: ".docker/config.json/x")
        let error = try #require(throws: CredentialsError.self) {
            try DockerConfig.load(environment: ["HOME": scratch.path])
        }
        #expect(
            error.description == "reading the credentials in \(scratch.path)/.docker/config.json: it cannot be read"
        )
    }

    @Test func `credentials never print themselves`() {
        let credentials = Credentials(username: "alice", password: "hunter2")
        var dumped = ""
        dump(credentials, to: &dumped)
        dump([credentials], to: &dumped)
        let texts = [
            "\(credentials)", String(reflecting: credentials), "\([credentials])", "\(["k": credentials])", dumped,
        ]
        for text in texts { #expect(!text.contains("hunter2") && !text.contains("alice"), "\(text)") }
        #expect(credentials.basicAuthorization == "Basic YWxpY2U6aHVudGVyMg==")
    }
}
