import FoundationEssentials
import RegistryClient
import Synchronization

/// Finds out what a registry can do, and what we may do there, before anything is done.
public struct Checker: Sendable {
    /// What is found out.
    public struct Options: Sendable {
        /// Repositories of which it is asked what may be done in them.
        public var repositories: [String] = []
        /// A bundle of which it is asked what pushing it would need.
        public var bundle: String?
        /// Whether an index is put of which an image is missing, which is the only way to learn whether it is taken.
        ///
        /// It is deleted again where the registry can do that.
        public var writes = false

        /// The defaults: the registry as a whole, and nothing is written.
        public init() {}
    }

    private let connections: ConnectionOptions

    /// Makes a checker.
    public init(connections: ConnectionOptions = .init()) { self.connections = connections }

    /// Checks a registry.
    ///
    /// - Parameters:
    ///   - mapping: the registry; a prefix of it goes before each repository and each image of a bundle.
    ///   - options: what is found out.
    /// - Returns: the report, with what was found in its checks; where the registry cannot be reached, does not take our
    ///   credentials or does not let us pull, it is a failure.
    /// - Throws: ``DrayageError`` for what is no repository, `LayoutError`, `CancellationError`.
    public func check(_ mapping: NameMapping, options: Options = .init()) async throws -> Report {
        let target = mapping.target
        let repositories = try options.repositories.map { path in
            do {
                let whole = [target.prefix, path].compactMap(\.self).joined(separator: "/")
                return try Repository(registry: target.registry, path: whole)
            } catch {
                throw DrayageError(.usage, "\"\(path)\" names no repository", underlying: error)
            }
        }
        var connections = connections
        connections.setScheme(of: target)
        let shown = FirstCertificate()
        var configuration = try connections.clientConfiguration(for: [target.registry])
        configuration.onCertificate = shown.note
        var report = Report(command: "check")
        report.target = target.description
        report.checks = []
        try await RegistryClient.withClient(configuration) { client in
            let round = CheckRound(
                client: client,
                registry: target.registry,
                writes: options.writes,
                isVerified: client.isVerified(target.registry)
            )
            guard try await round.check(&report, certificate: shown) else { return }
            for repository in repositories { try await round.check(repository, &report) }
            report.totals = Report.Totals()
            report.totals?.requestCount = client.requestCount
        }
        if let bundle = options.bundle, report.failures.isEmpty {
            try await check(bundle: bundle, mapping, connections, &report)
        }
        report.outcome = report.failures.isEmpty ? .done : .failed
        return report
    }

    private func check(
        bundle: String,
        _ mapping: NameMapping,
        _ connections: ConnectionOptions,
        _ report: inout Report
    ) async throws {
        var options = Pusher.Options()
        options.isDryRun = true
        let plan = try await Pusher(connections: connections).push(bundle: bundle, to: mapping, options: options)
        report.bundle = bundle
        report.failures += plan.failures
        let totals = plan.totals ?? Report.Totals()
        let needs =
            "to upload: \(totals.uploadCount ?? 0) (\(ByteText.size(totals.uploadByteCount ?? 0))), to mount: "
            + "\(totals.mountCount ?? 0), names to put: \(plan.images.count { $0.status == .planned })"
        report.checks?.append(.init(mapping.target.description, "bundle", plan.failures.isEmpty ? .yes : .no, needs))
    }
}

/// The certificate that is shown first, which is the registry's.
private final class FirstCertificate: Sendable {
    private let certificate = Mutex<PeerCertificate?>(nil)

    var value: PeerCertificate? { certificate.withLock { $0 } }

    func note(_ shown: PeerCertificate) { certificate.withLock { $0 = $0 ?? shown } }
}

/// The questions of one check.
private struct CheckRound {
    let client: RegistryClient
    let registry: String
    let writes: Bool
    /// Whether its certificate is verified.
    let isVerified: Bool

    /// Asks the registry as a whole.
    ///
    /// - Returns: whether it makes sense to go on.
    func check(_ report: inout Report, certificate: FirstCertificate) async throws -> Bool {
        var checks: [Report.Check] = []
        func add(_ name: String, _ answer: Report.Check.Answer, _ detail: String? = nil) {
            checks.append(.init(registry, name, answer, detail))
        }
        defer { report.checks? += checks }
        let identity = try await client.identity(at: registry, path: nil)
        let who = identity ?? "nobody in particular: there are no credentials for it"
        var welcome: RegistryClient.Welcome?
        var failure: RegistryError?
        do {
            welcome = try await client.greet(registry)
        } catch let error as RegistryError {
            failure = error
        }
        add("reachable", failure.map(\.isAnswer) ?? true ? .yes : .no, client.baseURL(of: registry))
        if failure.map(\.isAnswer) ?? true {
            add("tls", certificate.value == nil ? .no : .yes, certificate.value.map(text) ?? "plain HTTP")
            add("logged in", failure == nil ? .yes : .no, welcome == .unasked ? "it did not ask who is there" : who)
        }
        if let failure {
            report.failures.append(.init(subject: registry, error: failure))
            return false
        }
        let catalog = try await client.tryCatalog(of: registry)
        add("catalog", catalog.isDone ? .yes : .no, catalog.detail)
        if let limit = client.rateLimit(of: registry) {
            let quota = Report.Quota(registry, limit, needed: 0)
            add("quota", .yes, "\(quota.remaining) requests left")
        }
        return true
    }

    /// Asks what may be done in a repository.
    func check(_ repository: Repository, _ report: inout Report) async throws {
        var checks: [Report.Check] = []
        func add(_ name: String, _ trial: Trial?, otherwise: String = "it could not be tried") {
            let answer: Report.Check.Answer = trial.map { $0.isDone ? .yes : .no } ?? .unknown
            checks.append(.init(repository.description, name, answer, trial.map(\.detail) ?? otherwise))
        }
        defer { report.checks? += checks }
        do {
            let absent = try Digest.of(
                Array("drayage check: \(UInt64.random(in: 0 ... .max))".utf8),
                algorithm: .sha256
            )
            let (pull, tag) = try await client.tryPull(from: repository)
            add("pull", pull)
            if let error = pull.error { report.failures.append(.init(subject: repository.description, error: error)) }
            let (push, chunks) = try await client.tryUpload(to: repository)
            add("push", push)
            add("chunks", chunks)
            add("delete", try await client.tryDeletion(in: repository, of: absent))
            let referrers = pull.isDone ? try await client.referrers(of: absent, in: repository) : nil
            add("referrers", pull.isDone ? Trial(isDone: referrers != nil) : nil)
            let blob = try await tag.asyncMap { try await someBlob(of: $0, in: repository) } ?? nil
            let nothing = "the repository has nothing to try it with"
            add(
                "ranges",
                try await blob.asyncMap { try await client.tryRange(of: $0, in: repository) },
                otherwise: nothing
            )
            let mount =
                push.isDone ? try await blob.asyncMap { try await client.tryMount(of: $0, in: repository) } : nil
            add("mounts", mount, otherwise: blob == nil ? nothing : "it could not be tried")
            let sparse =
                writes && push.isDone
                ? try await client.trySparseIndex(SparseTrial.index(like: [missing(absent)]), in: repository) : nil
            add("sparse indexes", sparse, otherwise: writes ? "it could not be tried" : "only writing tells: --write")
        } catch let error as RegistryError {
            report.failures.append(.init(subject: repository.description, error: error))
        }
    }

    /// A blob of an image, nil where it has none.
    private func someBlob(of tag: Tag, in repository: Repository) async throws -> Descriptor? {
        var target = ManifestTarget.tag(tag)
        for _ in 0..<ImageIndex.nestingLimit {
            let document = try await client.fetchManifest(target, in: repository)
            if case .manifest(let manifest) = document.content { return manifest.config }
            guard let child = document.children.first else { return nil }
            target = .digest(child.digest)
        }
        return nil
    }

    private func missing(_ absent: Digest) -> Descriptor {
        let platform = Platform(os: "linux", architecture: "amd64")
        return Descriptor(mediaType: .ociManifest, digest: absent, size: 500, platform: platform)
    }

    private func text(of certificate: PeerCertificate) -> String {
        let end = Date(timeIntervalSince1970: TimeInterval(certificate.endSecondsSince1970))
        let text = "signed by \(certificate.issuer), until \(end.formatted(.iso8601.year().month().day()))"
        return isVerified ? text : text + "; not verified, as --insecure says"
    }
}

extension Optional where Wrapped: Sendable {
    fileprivate func asyncMap<Result>(_ transform: (Wrapped) async throws -> Result) async throws -> Result? {
        if let value = self { try await transform(value) } else { nil }
    }
}
