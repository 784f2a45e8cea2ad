import Foundation
import OCI
import TestSupport
import Testing

@Suite struct PlatformTests {
    @Test(arguments: [
        (Platform(os: "linux", architecture: "amd64"), "linux/amd64"),
        (Platform(os: "linux", architecture: "arm64", variant: "v8"), "linux/arm64/v8"),
        (Platform(os: "linux", architecture: "arm64", variant: ""), "linux/arm64"),
        (Platform(os: "windows", architecture: "amd64", osVersion: "10.0.20348.1"), "windows/amd64"),
    ])
    func `a platform is written with its parts`(platform: Platform, text: String) {
        #expect(platform.description == text)
    }

    @Test func `a platform is read from an index, its Windows version too`() throws {
        let json = #"{"architecture":"amd64","os":"windows","os.version":"10.0.1","os.features":["win32k"]}"#
        let platform = try JSONDecoder().decode(Platform.self, from: Data(json.utf8))
        #expect(platform == Platform(os: "windows", architecture: "amd64", osVersion: "10.0.1"))
    }

    @Test func `only what names no platform is unknown`() {
        #expect(Platform(os: "unknown", architecture: "unknown").isUnknown)
        #expect(!ImageBuilder.linuxAMD64.isUnknown)
    }

    @Test func `an image's config tells its platform`() throws {
        var builder = ImageBuilder()
        let platform = Platform(os: "windows", architecture: "arm64", variant: "v8", osVersion: "10.0.1")
        let config = try #require(try builder.image(platform: platform).config)
        #expect(try ImageConfig(bytes: config.bytes).platform == platform)
    }
}
