import YAML

/// A text whose images are replaced, and what its aliases have to do with that.
struct RewritableText {
    let bytes: [UInt8]
    /// Where the scalars begin, or their aliases, that are replaced themselves.
    private let replaced: Set<Int>
    /// Where the scalars begin that are replaced and have aliases which must stay as they are.
    private var shared: Set<Int> = []

    /// Looks for aliases, if there may be any.
    init(_ text: [UInt8], _ found: [FoundImage]) {
        bytes = text
        replaced = Set(found.flatMap { $0.scalars.map(\.use.lowerBound) })
        guard !replaced.isEmpty, text.contains(UInt8(ascii: "&")), text.contains(UInt8(ascii: "*")) else { return }
        let text = ImageFinder.withoutSurrogates(text)
        for part in YAMLParts(of: text) {
            do {
                var reader = try YAMLReader(part, of: text)
                while let event = try reader.next() {
                    guard case .scalar(let scalar) = event, scalar.isAlias else { continue }
                    let (start, use) = (scalar.source.lowerBound, scalar.use.lowerBound)
                    if replaced.contains(start), !replaced.contains(use) { shared.insert(start) }
                }
            } catch {
                // The search has made a problem of it.
                continue
            }
        }
    }

    /// Where the value begins that is replaced for a scalar: itself, or the scalar that it is an alias of.
    func owner(of scalar: YAMLScalar) -> Int {
        isReplacedInPlace(scalar) ? scalar.use.lowerBound : scalar.source.lowerBound
    }

    /// Whether to replace the alias and not the scalar that it stands for, which is no image there.
    func isReplacedInPlace(_ scalar: YAMLScalar) -> Bool {
        scalar.isAlias && !replaced.contains(scalar.source.lowerBound)
    }

    /// Whether a replacement of the scalar would change what is no image.
    func isShared(_ scalar: YAMLScalar) -> Bool { shared.contains(scalar.source.lowerBound) }
}

extension FoundImage {
    /// The scalars that are replaced where the image is.
    fileprivate var scalars: [YAMLScalar] {
        switch writtenText?.written {
        case .scalar(let scalar): [scalar]
        case .parts(let parts): [parts.registry, parts.repository, parts.tag, parts.digest].compactMap(\.self)
        case .bytes, nil: []
        }
    }
}
