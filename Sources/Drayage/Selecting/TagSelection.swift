/// Which tags of a repository are taken, where a list asks for all of them: `repository:*`.
///
/// Each rule takes away from what those before it left: the regular expression, the versions, the exclusions, and last
/// the number. What is attached to a digest by its tag (signatures, attestations, SBOMs and the lists of referrers, all
/// of them `sha256-<hex>…`) is never chosen: it follows its image.
public struct TagSelection: Sendable {
    /// What a tag has to match in any part of it; nil for no such rule.
    public var matching: TagRegex?
    /// The versions of which a tag has to be one; nil for no such rule.
    ///
    /// What is no version is not chosen then.
    public var versions: VersionRange?
    /// How many tags are taken at most, those of the highest versions; nil for all, none where it is below one.
    ///
    /// What is no version is not chosen then. Prereleases, and numbers alone of more than four digits, count only where
    /// ``versions`` has let them pass, or where no release is left: of 1.0, 1.1, 1.2, 1.3-rc1 and 20240923 the newest two are
    /// 1.1 and 1.2. Every tag counts, so that 1.2 and 1.2.0 are two.
    public var newest: Int?
    /// What is left out.
    public var excluded: [ImagePattern] = []

    /// Chooses all that is no attachment.
    public init() {}

    /// Chooses from the tags of a repository.
    ///
    /// - Parameters:
    ///   - tags: the tags that the repository has, in any order.
    ///   - repository: the repository.
    /// - Returns: the chosen tags, each once: first those that are versions, the lowest first, then the others; what is
    ///   of one rank in the order of its text.
    /// - Throws: ``TagRegexError`` where the expression cannot be matched.
    public func select(_ tags: [Tag], of repository: Repository) throws -> [Tag] {
        let candidates = (try matching?.matches(among: tags) ?? Set(tags)).filter { tag in
            AttachmentTag.Key(of: tag) == nil
                && !isExcluded(Reference(repository: repository, tag: tag, digest: nil))
        }
        var versioned: [(tag: Tag, version: TagVersion)] = []
        var others: [Tag] = []
        for tag in candidates.sorted(by: { $0.description < $1.description }) {
            if let version = TagVersion(tag) {
                if versions?.contains(version) ?? true { versioned.append((tag, version)) }
            } else if versions == nil, newest == nil {
                others.append(tag)
            }
        }
        // The sort is stable, so that the order of the texts stays.
        versioned.sort { $0.version < $1.version }
        guard let newest else { return versioned.map(\.tag) + others }
        // A date or the number of a build says nothing beside versions.
        let releases = versions == nil ? versioned.filter { !$0.version.isPrerelease && !$0.version.isLoneNumber } : []
        return (releases.isEmpty ? versioned : releases).suffix(max(newest, 0)).map(\.tag)
    }

    /// Whether there is a rule for tags.
    var choosesTags: Bool { matching != nil || versions != nil || newest != nil }

    /// Lines about exclusions that match none of some references.
    func idleExclusions(among references: [Reference]) -> [String] {
        excluded.filter { pattern in !references.contains(where: pattern.matches) }
            .map { "nothing is excluded by \($0)" }
    }

    private func isExcluded(_ reference: Reference) -> Bool { excluded.contains { $0.matches(reference) } }
}
