import OCI
import TestSupport
import Testing

/// Texts that nobody wrote: no parser may end the process, and what is accepted must be given back.
@Suite struct RandomTextTests {
    private static let pieces = [
        "a", "B", "0", "f", ".", "_", "__", "-", "--", "/", ":", "@", "sha256:", "sha512:", "latest", "localhost", "[",
        "]",
        "::1", "docker.io", "index.docker.io/", "library/", "5000", f64, f128, " ", "\n", "\r\n", "\0", "\u{1b}", "é",
        "İ",
        "\u{212a}", "👩‍👩‍👧", "\u{301}", "\u{202e}", "%2f", "..", String(repeating: "x", count: 120),
    ]

    private static func texts(seed: UInt64) -> [String] {
        var generator = SplitMix64(seed: seed)
        return (0..<1500).map { _ in
            (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                Int.random(in: 0..<20, using: &generator) == 0
                    ? String(Unicode.Scalar(UInt32.random(in: 0..<0xd800, using: &generator)) ?? "?")
                    : pieces.randomElement(using: &generator) ?? ""
            }.joined()
        }
    }

    private func check(_ error: ReferenceError, of text: String) {
        #expect(error.text == text)
        #expect((0...text.utf8.count).contains(error.offset))
        #expect(error.description == error.description.printable)
    }

    @Test(arguments: 1...4) func `references`(seed: UInt64) throws {
        var accepted = 0
        for text in Self.texts(seed: seed) {
            do {
                #expect(try ReferenceSyntax(parsing: text).description.utf8.elementsEqual(text.utf8))
                accepted += 1
            } catch { check(error, of: text) }
            do {
                let reference = try Reference(parsing: text)
                #expect(try Reference(parsing: reference.description) == reference)
                let repository = reference.repository
                #expect(try Repository(registry: repository.registry, path: repository.path) == repository)
            } catch { check(error, of: text) }
        }
        #expect(accepted > 30)
    }

    @Test(arguments: 1...2) func `tags and digests`(seed: UInt64) throws {
        for text in Self.texts(seed: seed) {
            do {
                #expect(try Tag(parsing: text).description.utf8.elementsEqual(text.utf8))
            } catch { check(error, of: text) }
            do {
                #expect(try Digest(parsing: text).description.utf8.elementsEqual(text.utf8))
            } catch { check(error, of: text) }
        }
    }

    @Test(arguments: 1...2) func `documents with bytes changed`(seed: UInt64) throws {
        var builder = ImageBuilder(seed: seed)
        let image = try builder.multiPlatform(attested: true)
        var generator = SplitMix64(seed: seed)
        for document in image.documents {
            for _ in 0..<100 {
                var bytes = document.bytes
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
                }
                do {
                    let read = try Document(bytes: bytes, declaredType: nil)
                    #expect(read.bytes == bytes)
                    #expect((read.blobs + read.children).allSatisfy { $0.size >= 0 })
                } catch {
                    #expect(error.description == error.description.printable)
                }
            }
        }
    }
}
