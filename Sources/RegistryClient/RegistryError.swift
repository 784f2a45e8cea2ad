package import OCI

/// What went wrong between Drayage and a registry.
package struct RegistryError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    @nonexhaustive
    package enum Code: Hashable, Sendable {
        /// The name has no address.
        case unknownHost
        /// No connection could be made.
        case unreachable
        /// What answers there does not speak TLS.
        case noTLS
        /// The certificate is not trusted, or does not belong to the host.
        case untrustedCertificate
        /// The server wants a certificate of ours.
        case missingCertificate
        /// A file of certificates for the host cannot be used.
        case unusableCertificates
        /// The variable for it names no proxy that can be used.
        case unusableProxy
        /// The proxy lets nobody through, or not us, or not there.
        case proxyRefused
        /// The connection ended before the answer did.
        case connectionLost
        /// Nothing moved for as long as the idle time-out.
        case timeout
        /// The credentials are missing or wrong.
        case unauthorized
        /// The credentials are known, but may not do this.
        case denied
        /// The repository, manifest or blob is not there.
        case notFound
        /// Any other status that was not expected.
        case unexpectedStatus
        /// More or fewer bytes than were announced.
        case sizeMismatch(expected: Int64, actual: Int64)
        /// Bytes with another digest.
        case digestMismatch(expected: Digest, actual: Digest)
        /// A manifest that cannot be carried.
        case unusableManifest(DocumentError)
        /// An answer that breaks the protocol.
        case malformedAnswer
        /// What the registry has of an upload is not what it was sent.
        case uploadLost
        /// A redirect that must not be followed.
        case unsafeRedirect
        /// Credentials would have gone to a host that they are not for.
        case unsafeTokenServer
        /// Anything else.
        case other
    }

    /// The kind of failure.
    package private(set) var code: Code
    /// What was being done: `fetching the manifest`.
    package private(set) var operation: String
    /// What it was done to: a reference, or a repository with a digest.
    package private(set) var subject: String
    /// The request that failed: method and URL, without query and user.
    package private(set) var request: String?
    /// The status of the answer.
    package let status: Int?
    /// What the registry itself said.
    package let registryMessages: [String]
    /// Details of the cause.
    package internal(set) var reason: String?
    /// What the answer says besides: how the registry calls the request, and what it warns of.
    var remarks: AnswerRemarks?
    /// How long the registry asked to be left alone.
    package let retryAfter: Duration?
    /// How often it was tried; nil while it is not known whether it will be tried again.
    package internal(set) var attempts: Attempts?

    /// How often something was tried.
    package struct Attempts: Hashable, Sendable {
        /// The attempts, the first among them.
        package let count: Int
        /// From before the first to after the last.
        package let duration: Duration
    }

    /// Whether every other request to that registry would fail in the same way.
    package var concernsWholeRegistry: Bool {
        switch code {
        case .unknownHost, .unreachable, .noTLS, .untrustedCertificate, .missingCertificate, .unusableCertificates,
            .unusableProxy, .proxyRefused, .unsafeTokenServer:
            true
        default: false
        }
    }

    init(
        _ code: Code,
        _ context: RequestContext,
        request: String? = nil,
        status: Int? = nil,
        registryMessages: [String] = [],
        reason: String? = nil,
        retryAfter: Duration? = nil
    ) {
        self.code = code
        operation = context.operation
        subject = context.subject
        self.request = request
        self.status = status
        self.registryMessages = registryMessages
        self.reason = reason
        self.retryAfter = retryAfter
    }

    /// Whether it is about a request to a host.
    func concerns(_ origin: URLParts.Origin?) -> Bool {
        guard let own = request?.split(separator: " ").last else { return true }
        return URLParts.origin(of: String(own)) == origin
    }

    /// Whether it is about what we may do in one repository, and another may be open to us.
    package var concernsRepository: Bool { [.denied, .unauthorized, .notFound].contains(code) }

    /// Whether bytes came, but not the right ones.
    package var isMismatch: Bool {
        switch code {
        case .sizeMismatch, .digestMismatch: true
        default: false
        }
    }

    /// Whether a registry says that the bytes it was sent are not what their digest says.
    package var refusesDigest: Bool { registryMessages.contains { $0.hasPrefix("DIGEST_INVALID") } }

    /// The same failure of another request, which waited for the one that failed.
    func with(_ context: RequestContext, request: String?) -> RegistryError {
        var error = self
        (error.operation, error.subject, error.request) = (context.operation, context.subject, request)
        return error
    }

    /// The same failure, seen as one of another kind.
    func with(code: Code) -> RegistryError {
        var error = self
        error.code = code
        return error
    }

    /// One line: operation, subject, cause.
    package var description: String {
        var parts = ["\(operation) \(subject)"]
        if let request { parts.append(status.map { "\(request) answered \($0)" } ?? request) }
        parts.append(([cause] + said + [effort].compactMap(\.self)).joined(separator: "; "))
        return parts.joined(separator: ": ").printable
    }

    private var said: [String] {
        let warnings = (remarks?.warnings ?? []).map { "the registry warns: \($0)" }
        return warnings + (remarks?.requestID.map { ["request id \($0)"] } ?? [])
    }

    private var effort: String? {
        guard let attempts, attempts.count > 1 else { return nil }
        return "tried \(attempts.count) times within \(attempts.duration.components.seconds) s"
    }

    private var cause: String {
        let said = registryMessages.isEmpty ? nil : registryMessages.joined(separator: "; ")
        let details = [said, reason].compactMap(\.self).joined(separator: "; ")
        guard let text = summary else { return details.isEmpty ? "unexpected answer" : details }
        return details.isEmpty ? text : "\(text) (\(details))"
    }

    private var summary: String? {
        switch code {
        case .unknownHost: "the host is unknown"
        case .unreachable, .noTLS, .missingCertificate, .unusableCertificates, .unusableProxy, .proxyRefused:
            "no connection"
        case .untrustedCertificate: "the certificate is not trusted; --ca-file names the CA of a private registry"
        case .connectionLost: "the connection was lost"
        case .timeout: "nothing moved for too long"
        case .unauthorized: "not authorised"
        case .denied: "access is denied"
        case .notFound: "not found"
        case .sizeMismatch(let expected, let actual): "\(expected) bytes were expected, \(actual) came"
        case .digestMismatch(let expected, let actual): "the digest must be \(expected), but is \(actual)"
        case .unusableManifest(let error): error.description
        case .malformedAnswer: "the answer breaks the protocol"
        case .unsafeRedirect: "the redirect is not followed"
        case .unsafeTokenServer: "the credentials are not sent"
        case .unexpectedStatus, .uploadLost, .other: nil
        }
    }
}

/// What a request is made for; every error of it says so.
struct RequestContext: Sendable {
    let operation: String
    let subject: String
}
