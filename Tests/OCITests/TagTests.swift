import OCI
import Testing

@Suite struct TagTests {
    @Test(arguments: ["a", "_", "0", "A.b-c_", "latest", String(repeating: "x", count: 128)])
    func `a tag is 1 to 128 letters, digits, dots, dashes and underscores`(text: String) throws {
        #expect(try Tag(parsing: text).description == text)
    }

    @Test(arguments: [
        InvalidVector("", .invalidTag, at: 0),
        InvalidVector(".a", .invalidTag, at: 0),
        InvalidVector("-a", .invalidTag, at: 0),
        InvalidVector("é", .invalidTag, at: 0),
        InvalidVector("a b", .invalidTag, at: 1),
        InvalidVector("a/b", .invalidTag, at: 1),
        InvalidVector("a:b", .invalidTag, at: 1),
        InvalidVector("a\n", .invalidTag, at: 1),
        InvalidVector("a\0", .invalidTag, at: 1),
        InvalidVector(String(repeating: "x", count: 129), .invalidTag, at: 128),
    ])
    func `what is no tag is refused with the place`(vector: InvalidVector) {
        let error = #expect(throws: ReferenceError.self) { try Tag(parsing: vector.text) }
        #expect(error?.code == vector.code)
        #expect(error?.offset == vector.offset)
    }

    @Test func `the default tag is latest`() { #expect(Tag.latest.description == "latest") }
}
