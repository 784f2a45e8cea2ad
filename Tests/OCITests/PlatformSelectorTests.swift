import OCI
import TestSupport
import Testing

@Suite struct PlatformSelectorTests {
    @Test(arguments: ["linux/amd64", "linux/arm64/v8", "windows/amd64", "wasip1/wasm", "linux/arm/v6"])
    func `a platform is read and written`(text: String) throws {
        #expect(try #require(PlatformSelector(parsing: text)).description == text)
    }

    @Test(arguments: [
        "", "amd64", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "linux/amd 64", "linux//v8", "linux/amd64\n",
        "linux/" + String(repeating: "a", count: 64),
    ])
    func `what is none is none`(text: String) { #expect(PlatformSelector(parsing: text) == nil) }

    @Test(arguments: [
        ("linux/amd64", Platform(os: "linux", architecture: "amd64"), true),
        ("linux/amd64", Platform(os: "linux", architecture: "amd64", variant: "v3"), true),
        ("linux/amd64/v1", Platform(os: "linux", architecture: "amd64"), true),
        ("linux/amd64/v2", Platform(os: "linux", architecture: "amd64"), false),
        ("linux/arm64", Platform(os: "linux", architecture: "arm64", variant: "v8"), true),
        ("linux/arm64/v8", Platform(os: "linux", architecture: "arm64"), true),
        ("linux/arm64/v8", Platform(os: "linux", architecture: "arm64", variant: ""), true),
        ("linux/arm64/v9", Platform(os: "linux", architecture: "arm64", variant: "v8"), false),
        ("linux/arm", Platform(os: "linux", architecture: "arm", variant: "v6"), true),
        ("linux/arm/v7", Platform(os: "linux", architecture: "arm"), true),
        ("linux/arm/v7", Platform(os: "linux", architecture: "arm", variant: "v6"), false),
        ("linux/s390x/z13", Platform(os: "linux", architecture: "s390x"), false),
        ("windows/amd64", Platform(os: "windows", architecture: "amd64", osVersion: "10.0.20348.1"), true),
        ("linux/amd64", Platform(os: "windows", architecture: "amd64"), false),
        ("linux/amd64", Platform(os: "linux", architecture: "arm64"), false),
    ])
    func `it means each variant unless it names one`(text: String, platform: Platform, matches: Bool) throws {
        #expect(try #require(PlatformSelector(parsing: text)).matches(platform) == matches)
    }
}
