import OCI
import TestSupport
import Testing

@Suite struct ImageConfigTests {
    private func config(_ json: String) throws(DocumentError) -> ImageConfig {
        try ImageConfig(bytes: Array(json.utf8))
    }

    @Test(arguments: ImageBuilder.Family.allCases)
    func `a config tells what its image runs on and what its layers hold`(family: ImageBuilder.Family) throws {
        var builder = ImageBuilder(family: family)
        let layers = [try builder.layer(), try builder.layer()]
        let image = try builder.image(layers: layers, platform: ImageBuilder.linuxARM64)
        let config = try ImageConfig(bytes: try #require(image.config).bytes)
        #expect(config.platform == ImageBuilder.linuxARM64)
        #expect(config.diffIDs == layers.map(\.diffID))
        #expect(ImageConfig.platform(in: try #require(image.config).bytes) == ImageBuilder.linuxARM64)
    }

    /// Texts that artifacts have as an image's config.
    @Test(arguments: ["{}", #"{"rootfs":null}"#, #"{"rootfs":{}}"#, #"{"rootfs":{"diff_ids":null}}"#, #"{"os":7}"#])
    func `what a config does not say is no error`(json: String) throws {
        let config = try config(json)
        #expect(config.platform == nil)
        #expect(ImageConfig.platform(in: Array(json.utf8)) == nil)
        #expect(config.diffIDs == [])
    }

    /// Texts, and what is wrong with them.
    @Test(arguments: [
        ("", "it is not JSON"), ("\u{1f}\u{8b}", "it is not JSON"), ("[]", "it is no JSON object"),
        (#"{"rootfs":[]}"#, "rootfs has the wrong type"),
        (#"{"rootfs":{"diff_ids":{}}}"#, "rootfs.diff_ids has the wrong type"),
        (#"{"rootfs":{"diff_ids":[1]}}"#, "rootfs.diff_ids.0 has the wrong type"),
    ])
    func `what is no config is refused`(json: String, reason: String) {
        let error = #expect(throws: DocumentError.self) { try config(json) }
        #expect(error?.code == .unreadableConfig(reason: reason))
        #expect(error?.description == "the config cannot be read: \(reason)")
        #expect(ImageConfig.platform(in: Array(json.utf8)) == nil)
    }

    @Test func `what is no digest is refused, with its place`() {
        let json = #"{"rootfs":{"diff_ids":["sha256:\#(String(repeating: "a", count: 64))","sha256:short"]}}"#
        let error = #expect(throws: DocumentError.self) { try config(json) }
        #expect(error?.description.hasPrefix("the config cannot be read: rootfs.diff_ids.1: ") == true)
    }

    @Test func `a config of the largest size is read, and one byte more is not`() throws {
        let padding = String(repeating: " ", count: ImageConfig.byteLimit - 2)
        #expect(try config("{}" + padding).diffIDs == [])
        #expect(throws: DocumentError(.configTooLarge(byteCount: 4_194_305))) { try config("{}" + padding + " ") }
    }

    @Test func `the platform alone is read where the rest makes no sense, and of no config that is too large`() {
        let json = #"{"os":"linux","architecture":"s390x","rootfs":[]}"#
        #expect(ImageConfig.platform(in: Array(json.utf8)) == Platform(os: "linux", architecture: "s390x"))
        let padding = String(repeating: " ", count: ImageConfig.byteLimit)
        #expect(ImageConfig.platform(in: Array((json + padding).utf8)) == nil)
    }
}
