import Drayage
import Testing

/// A file that names images, and what is found in it.
struct FindingFixture: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    /// Line, text, object and field of each image, as ``describe(_:)`` gives them.
    let images: [String]

    var testDescription: String { name }

    var bytes: [UInt8] { Array(text.utf8) }

    /// All fixtures.
    static let all = kubernetes + custom + compose + kustomizations + lists + shapes + replacements + unusual
}

/// What was found, in one line each: `12 nginx:1 Deployment/web spec.template.spec.containers[0].image`.
func describe(_ findings: ImageFinder.Findings) -> [String] {
    findings.occurrences.map { image in
        let line = image.place.split(separator: ":").last ?? ""
        return [String(line), image.text, image.object, image.field].compactMap(\.self).joined(separator: " ")
    }
}

/// What is found in a text that is called `f`.
func find(_ text: String, guesses: Bool = false) -> ImageFinder.Findings {
    ImageFinder(guesses: guesses).find(in: Array(text.utf8), name: "f")
}
