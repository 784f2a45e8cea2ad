import Foundation
import OCI
import TestSupport
import Testing

/// An index of some of an index's manifests.
@Suite struct IndexSubsetTests {
    private static let text = """
        {
          "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
          "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 7,
             "digest": "sha256:\(String(repeating: "a", count: 64))", "x-own": [1, 2.5, null, true],
             "platform": {"os": "linux", "architecture": "amd64", "os.features": ["f"]}},
            {"mediaType": "application/vnd.oci.image.index.v1+json", "size": 8, "data": "e30=",
             "digest": "sha256:\(String(repeating: "b", count: 64))"}
          ],
          "annotations": {"a/b": "c"}, "x-other": {"number": 12345678901234}
        }
        """
    private let document: Document

    init() throws { document = try Document(bytes: Array(Self.text.utf8), declaredType: nil) }

    @Test func `everything else that it says stays`() throws {
        let smaller = try document.keeping([document.children[0], nil])
        let expected = #"""
            {"annotations":{"a/b":"c"},"manifests":[{"digest":"sha256:\#(String(repeating: "a", count: 64))",\#
            "mediaType":"application/vnd.oci.image.manifest.v1+json",\#
            "platform":{"architecture":"amd64","os":"linux","os.features":["f"]},"size":7,\#
            "x-own":[1,2.5,null,true]}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2,\#
            "x-other":{"number":12345678901234}}
            """#
        #expect(String(decoding: smaller.bytes, as: UTF8.self) == expected)
        #expect(smaller.descriptor.mediaType == .ociIndex)
        #expect(smaller.descriptor.digest == (try Digest.of(smaller.bytes)))
    }

    @Test func `what became another has its digest and size, and not its content`() throws {
        let other = Descriptor(
            mediaType: .ociIndex,
            digest: try Digest(parsing: "sha256:" + String(repeating: "c", count: 64)),
            size: 5
        )
        let smaller = try document.keeping([nil, other])
        #expect(smaller.children.map(\.digest) == [other.digest])
        #expect(smaller.children.map(\.size) == [5])
        #expect(!String(decoding: smaller.bytes, as: UTF8.self).contains("e30="))
    }

    @Test func `a manifest has nothing to be kept of`() throws {
        var builder = ImageBuilder()
        let image = try builder.image()
        let manifest = try Document(bytes: image.document.bytes, declaredType: nil)
        #expect(throws: DocumentError(.unreadable(reason: "it is no index"))) { try manifest.keeping([]) }
    }
}
