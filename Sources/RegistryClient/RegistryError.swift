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
        /// The certificate is not trusted, or does not belong to the host.
        case untrustedCertificate
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
        /// A redirect that must not be followed.
        case unsafeRedirect
        /// Credentials would have gone to a host that they are not for.
        case unsafeTokenServer
        /// Anything else.
        case other
    }

    /// The kind of failure.
    package let code: Code
    /// What was being done: `fetching the manifest`.
    package let operation: String
    /// What it was done to: a reference, or a repository with a digest.
    package let subject: String
    /// The request that failed: method and URL, without query and user.
    package let request: String?
    /// The status of the answer.
    package let status: Int?
    /// What the registry itself said.
    package let registryMessages: [String]
    /// Details of the cause.
    package let reason: String?

    /// Whether every other request to that registry would fail in the same way.
    package var concernsWholeRegistry: Bool {
        switch code {
        case .unknownHost, .unreachable, .untrustedCertificate, .unsafeTokenServer: true
        default: false
        }
    }

    init(
        _ code: Code,
        _ context: RequestContext,
        request: String? = nil,
        status: Int? = nil,
        registryMessages: [String] = [],
        reason: String? = nil
    ) {
        self.code = code
        operation = context.operation
        subject = context.subject
        self.request = request
        self.status = status
        self.registryMessages = registryMessages
        self.reason = reason
    }

    /// Whether it is about what we may do in one repository, and another may be open to us.
    package var concernsRepository: Bool { [.denied, .unauthorized, .notFound].contains(code) }

    /// Whether a registry says that the bytes it was sent are not what their digest says.
    package var refusesDigest: Bool { registryMessages.contains { $0.hasPrefix("DIGEST_INVALID") } }

    /// The same failure of another request, which waited for the one that failed.
    func with(_ context: RequestContext, request: String?) -> RegistryError {
        RegistryError(
            code,
            context,
            request: request,
            status: status,
            registryMessages: registryMessages,
            reason: reason
        )
    }

    /// One line: operation, subject, cause.
    package var description: String {
        var parts = ["\(operation) \(subject)"]
        if let request { parts.append(status.map { "\(request) answered \($0)" } ?? request) }
        parts.append(cause)
        return parts.joined(separator: ": ").printable
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
        case .unreachable: "no connection"
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
        case .unexpectedStatus, .other: nil
        }
    }
}

/// What a request is made for; every error of it says so.
struct RequestContext: Sendable {
    let operation: String
    let subject: String
}
