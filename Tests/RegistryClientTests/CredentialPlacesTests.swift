import Foundation
import TestSupport
import Testing

@testable import RegistryClient

/// Where the files of credentials are looked for.
@Suite struct CredentialPlacesTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    /// Writes a file with one user for every registry that a test asks for.
    private func write(_ user: String, to path: String) throws {
        try scratch.write(#"{"auths":{"r":{"username":"\#(user)","password":"x"}}}"#, to: path)
    }

    private func paths(named: String? = nil, _ environment: [String: String]) throws -> [String] {
        // Not what somebody has stored on this machine.
        let environment = ["XDG_RUNTIME_DIR": scratch.path("no-session")].merging(environment) { $1 }
        return try CredentialFiles.load(named: named, environment: environment).map {
            $0.path.replacing(scratch.path + "/", with: "")
        }
    }

    @Test func `all places are read, in their order`() throws {
        try write("session", to: "run/containers/auth.json")
        try write("user", to: "home/.config/containers/auth.json")
        try write("docker", to: "home/.docker/config.json")
        try scratch.write(#"{"r":{"auth":"bWU6cA=="}}"#, to: "home/.dockercfg")
        let environment = ["HOME": scratch.path("home"), "XDG_RUNTIME_DIR": scratch.path("run")]
        #expect(
            try paths(environment) == [
                "run/containers/auth.json", "home/.config/containers/auth.json", "home/.docker/config.json",
                "home/.dockercfg",
            ]
        )
    }

    @Test func `the environment says where podman's and docker's files are`() throws {
        try write("user", to: "config/containers/auth.json")
        try write("docker", to: "docker/config.json")
        try write("home", to: "home/.docker/config.json")
        let environment = [
            "HOME": scratch.path("home"), "XDG_CONFIG_HOME": scratch.path("config"),
            "DOCKER_CONFIG": scratch.path("docker"),
        ]
        #expect(try paths(environment) == ["config/containers/auth.json", "docker/config.json"])
    }

    @Test func `a file that is named is the only one`() throws {
        try write("docker", to: "home/.docker/config.json")
        try write("variable", to: "variable.json")
        try write("option", to: "option.json")
        let environment = ["HOME": scratch.path("home"), "REGISTRY_AUTH_FILE": scratch.path("variable.json")]
        #expect(try paths(environment) == ["variable.json"])
        #expect(try paths(named: scratch.path("option.json"), environment) == ["option.json"])
        // One that is set to nothing says nothing.
        #expect(try paths(["HOME": scratch.path("home"), "REGISTRY_AUTH_FILE": ""]) == ["home/.docker/config.json"])
    }

    @Test func `a file that is named must be there, and others need not`() throws {
        #expect(try paths(["HOME": scratch.path("home")]) == [])
        #expect(try paths([:]) == [])
        #expect(try paths(["REGISTRY_AUTH_FILE": scratch.path("absent")]) == [])
        let error = try #require(throws: CredentialsError.self) { try paths(named: scratch.path("absent"), [:]) }
        #expect(
            error.description == "reading the credentials in \(scratch.path)/absent: there is no such file"
        )
    }

    @Test func `a file that cannot be read is an error`() throws {
        // A directory of that name: even root cannot read it.
        try scratch.write("", to: ".docker/config.json/x")
        let error = try #require(throws: CredentialsError.self) { try paths(["HOME": scratch.path]) }
        #expect(
            error.description == "reading the credentials in \(scratch.path)/.docker/config.json: it cannot be read"
        )
    }

    @Test func `credentials are stored in the named file, else in docker's`() throws {
        func destination(_ named: String?, _ environment: [String: String]) throws -> String {
            try CredentialFiles.destination(named: named, environment: environment)
        }
        #expect(try destination("x", ["REGISTRY_AUTH_FILE": "y", "HOME": "/h"]) == "x")
        #expect(try destination(nil, ["REGISTRY_AUTH_FILE": "y", "HOME": "/h"]) == "y")
        #expect(try destination(nil, ["HOME": "/h", "DOCKER_CONFIG": "/d"]) == "/d/config.json")
        #expect(try destination(nil, ["HOME": "/h"]) == "/h/.docker/config.json")
        #expect(throws: CredentialsError.self) { try destination(nil, [:]) }
    }
}
