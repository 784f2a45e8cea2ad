/// Which of the manifests that indexes name are taken, where only some platforms are asked for.
///
/// A manifest whose index does not say what it runs on says it itself, in its config; what runs on nothing, as a chart
/// does, is always taken. The attestation of a manifest goes where that goes.
struct PlatformChoice: Sendable {
    /// The platforms that are asked for; all where there is none.
    let platforms: [PlatformSelector]
    /// What the configs of manifests say, of which no index says it.
    var configured: [Digest: Platform] = [:]

    /// Whether anything may be left out.
    var isChoice: Bool { !platforms.isEmpty }

    /// What is taken of an index, as far as it is known what each of its manifests runs on.
    func children(of document: Document) -> [Descriptor] {
        guard isChoice else { return document.children }
        let runnable = document.children.filter { !$0.isAttestation && takes(platform(of: $0)) }
        let digests = Set(runnable.map(\.digest))
        return document.children.filter { child in
            child.isAttestation
                ? child.attestedDigest.map(digests.contains) ?? false
                : digests.contains(child.digest) && takes(platform(of: child))
        }
    }

    /// What a manifest runs on; nil where it is not known, or it runs on nothing.
    func platform(of child: Descriptor) -> Platform? {
        if let platform = child.platform, !platform.os.isEmpty { return platform }
        return configured[child.digest]
    }

    private func takes(_ platform: Platform?) -> Bool {
        guard let platform else { return true }
        return platforms.contains { $0.matches(platform) }
    }
}

extension PlatformChoice {
    /// What an image has, and what is taken of it.
    struct Findings {
        /// All that it runs on, in the order of its indexes.
        var available: [Platform] = []
        /// What of that is taken.
        var taken: [Platform] = []
        /// Its manifests and indexes that are taken.
        var documents: Set<Digest> = []
        /// Whether any was left out.
        var leavesOut = false

        fileprivate mutating func note(_ platform: Platform?, isTaken: Bool) {
            guard let platform, !platform.isUnknown else { return }
            available.append(platform)
            if isTaken { taken.append(platform) }
        }
    }

    /// Walks through an image.
    func findings(of top: Descriptor, in graph: ImageGraph) -> Findings {
        var findings = Findings()
        findings.note(configured[top.digest], isTaken: takes(configured[top.digest]))
        _ = walk(top.digest, graph, &findings)
        return findings
    }

    /// - Returns: whether anything is left beneath it.
    private func walk(_ digest: Digest, _ graph: ImageGraph, _ findings: inout Findings) -> Bool {
        guard let document = graph.documents[digest] else { return false }
        guard !findings.documents.contains(digest) else { return true }
        let taken = Set(children(of: document).map(\.digest))
        var left: Set<Digest> = []
        for child in document.children {
            findings.note(child.isAttestation ? nil : platform(of: child), isTaken: taken.contains(child.digest))
            if taken.contains(child.digest), walk(child.digest, graph, &findings) {
                left.insert(child.digest)
            } else {
                findings.leavesOut = true
            }
        }
        guard document.children.isEmpty || !left.isEmpty else { return false }
        findings.documents.insert(digest)
        return true
    }
}
