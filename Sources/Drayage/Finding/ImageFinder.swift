/// Finds the images that files name: lists, objects of Kubernetes, kustomizations, Compose files and values of charts.
///
/// Nothing is fetched, and nothing is made of templates or variables: such a value is a problem, and so is an image
/// whose tag or name is decided elsewhere. What names images depends on the kind of a file or of an object in it:
///
/// - A list, and a YAML list of texts: each entry.
/// - A kind of Kubernetes with pods: `image` of its containers, and `image.reference` of its volumes. Other kinds of
///   Kubernetes itself: nothing.
/// - A kustomization: the elements of `images`.
/// - A Compose file, which has no other fields at its root: `image` of services, and volumes of the type `image`. With
///   `include`, or `extends` with a `file`, images are named elsewhere.
/// - Everything else, such as custom resources and values of charts: fields called `image` or `images`, however deep.
///
/// In the last case, and in what else a kustomization has, these are images:
///
/// - `image: app:1`, and `image: app` with `tag`, `imageTag` or `digest` beside it, and `registry` or `hub`. With an
///   empty tag or a `version` beside it, its tag is decided elsewhere.
/// - `image: {registry: …, repository: app, tag: 1, digest: …}`; without tag and digest it is decided elsewhere.
/// - `image: {reference: app:1}`.
/// - `image: {name: app, tag: 1}`, and `image: {name: app:1}`, a name alone only if it has a tag, a digest or a path.
/// - `images: [app:1, …]` with any of these mappings as elements.
/// - `images: [{name: old, newName: new, newTag: 1}, "old=new:1"]`, as kustomizations have them.
/// - `images: {web: app:1, others: [app:1], …}` with any of these mappings as values; texts only with `/`, `:` or `@` in
///   them, and not under keys such as `registry` or `url`.
///
/// In anchored mappings of Compose files and of pods, `image` counts too, as a merge key may put it anywhere.
///
/// ```swift
/// let findings = ImageFinder().find(in: text, name: "deploy.yaml")
/// for found in findings.occurrences { print(found.reference, found.place) }  // quay.io/app:1 deploy.yaml:12
/// for problem in findings.problems { print(problem) }  // deploy.yaml:20: "${IMAGE}" (spec.image): it is a variable; …
/// let inside = try ImageFinder().rewrite(text, name: "deploy.yaml", mapping.wrap)
/// ```
public struct ImageFinder: Sendable {
    /// Whether every text that looks like a full reference counts, whatever it is called.
    let guesses: Bool

    /// Makes a finder.
    ///
    /// - Parameter guesses: whether to take other texts that look like a full reference as well, such as arguments,
    ///   variables and annotations: a host, a path, and a tag or a digest.
    public init(guesses: Bool = false) { self.guesses = guesses }

    /// Finds the images that a file names.
    ///
    /// - Parameters:
    ///   - text: the file's bytes.
    ///   - name: what places call it.
    /// - Returns: what was found, in the order of the text; what cannot be read is among the problems.
    public func find(in text: [UInt8], name: String) -> Findings {
        Findings(search(text), name: name)
    }

    /// Finds what a file names, in its order.
    func search(_ text: [UInt8]) -> [FoundImage] {
        guard !text.starts(with: [0xff, 0xfe]), !text.starts(with: [0xfe, 0xff]) else {
            let problem = FoundImage.Content.problem(text: "", reason: "it is written in UTF-16; save it as UTF-8")
            return [FoundImage(content: problem, offset: 0, line: 1)]
        }
        return Self.isList(text) ? Self.imagesOfList(text) : imagesOfYAML(text)
    }
}
