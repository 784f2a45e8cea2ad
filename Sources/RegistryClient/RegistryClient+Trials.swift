import NIOHTTP1
package import OCI

/// What came of trying something at a registry.
package struct Trial: Sendable {
    /// Whether the registry does it.
    package let isDone: Bool
    /// What it said of it, or what is worth knowing besides; nil where there is nothing.
    package let detail: String?
    /// The answer that says no, nil where that is not all there is to it.
    package let error: RegistryError?

    /// Notes an outcome.
    package init(isDone: Bool, detail: String? = nil) {
        self.isDone = isDone
        self.detail = detail
        error = nil
    }

    /// Notes that the registry says no.
    init(_ error: RegistryError) {
        isDone = false
        detail = error.description
        self.error = error
    }
}

extension RegistryError {
    /// Whether the registry has answered, and says no.
    package var isAnswer: Bool { status != nil || code == .unauthorized }
}

/// What a registry can do, found out without leaving anything there.
extension RegistryClient {
    /// Asks whether the registry lists its repositories.
    ///
    /// - Throws: ``RegistryError`` where there is no answer.
    package func tryCatalog(of name: String) async throws -> Trial {
        let context = RequestContext(operation: "listing the repositories of", subject: name)
        return try await trial(.GET, "/v2/_catalog?n=1", of: name, scopes: [.catalog], statuses: [200], context).trial
    }

    /// Asks whether we may pull from a repository.
    ///
    /// - Returns: the outcome, and a tag of the repository where it has one.
    /// - Throws: ``RegistryError`` where there is no answer.
    package func tryPull(from repository: Repository) async throws -> (trial: Trial, tag: Tag?) {
        let context = RequestContext(operation: "listing the tags of", subject: repository.description)
        let (trial, response) = try await trial(
            .GET,
            "/v2/\(repository.path)/tags/list?n=1",
            of: repository.registry,
            scopes: [.pull(repository)],
            statuses: [200, 404],
            context
        )
        guard let response, response.status == 200 else {
            return (trial.isDone ? Trial(isDone: true, detail: "there is no such repository yet") : trial, nil)
        }
        return (trial, RegistryAnswer.names(in: response.body)?.first.flatMap { try? Tag(parsing: $0) })
    }

    /// Opens an upload, sends a chunk of a byte, and cancels the upload.
    ///
    /// - Returns: whether we may push, and whether chunks are taken; nil where it could not be tried.
    /// - Throws: ``RegistryError`` where there is no answer.
    ///
    /// Spec: distribution "Pushing a blob in chunks".
    package func tryUpload(to repository: Repository) async throws -> (push: Trial, chunks: Trial?) {
        let context = RequestContext(operation: "opening an upload in", subject: repository.description)
        let registry = registry(repository.registry)
        let (push, opened) = try await trial(
            .POST,
            "/v2/\(repository.path)/blobs/uploads/",
            of: repository.registry,
            headers: ["Content-Length": "0"],
            scopes: [.push(repository)],
            statuses: [202],
            context
        )
        guard let opened, push.isDone else { return (push, nil) }
        let request = HTTPRequest(method: .POST, url: RequestURL(opened.url), registry: registry.endpoint.origin)
        var session = try UploadSession(opened: opened, by: request, at: registry, context: context)
        let (chunks, answer) = try await trial(
            .PATCH,
            session.url,
            of: repository.registry,
            headers: ["Content-Type": "application/octet-stream", "Content-Range": "0-0"],
            body: .bytes([0]),
            scopes: [.push(repository)],
            statuses: [202],
            context
        )
        if let answer, chunks.isDone {
            session = try session.next(after: answer, to: request, at: registry, context: context)
        }
        await giveUp(session, in: repository)
        return (push, chunks)
    }

    /// Deletes a manifest that is not there.
    ///
    /// - Throws: ``RegistryError`` where there is no answer.
    package func tryDeletion(in repository: Repository, of absent: Digest) async throws -> Trial {
        do {
            switch try await deleteManifest(.digest(absent), in: repository) {
            case .deleted, .absent: return Trial(isDone: true)
            case .unsupported: return Trial(isDone: false, detail: "deletion is off")
            }
        } catch let error as RegistryError where error.isAnswer {
            return Trial(error)
        }
    }

    /// Asks for one byte of a blob.
    ///
    /// - Throws: ``RegistryError`` where there is no answer.
    ///
    /// Spec: RFC 9110 "Range Requests".
    package func tryRange(of blob: Descriptor, in repository: Repository) async throws -> Trial {
        let context = RequestContext(operation: "fetching a byte of", subject: "\(repository)@\(blob.digest)")
        let (trial, response) = try await trial(
            .GET,
            "/v2/\(repository.path)/blobs/\(blob.digest)",
            of: repository.registry,
            headers: ["Range": "bytes=0-0"],
            scopes: [.pull(repository)],
            statuses: [200, 206],
            context
        )
        return response?.status == 200 ? Trial(isDone: false, detail: "it sends the whole blob") : trial
    }

    /// Mounts a blob of a repository into the same one, which has it.
    ///
    /// - Throws: ``RegistryError`` where there is no answer.
    package func tryMount(of blob: Descriptor, in repository: Repository) async throws -> Trial {
        do {
            switch try await mountBlob(blob.digest, from: repository, to: repository) {
            case .mounted: return Trial(isDone: true)
            case .uploadOpened(let session):
                await giveUp(session, in: repository)
                return Trial(isDone: false, detail: "it opens an upload instead")
            }
        } catch let error as RegistryError where error.isAnswer {
            return Trial(error)
        }
    }

    /// Puts an index of which an image is missing, and deletes it where it is taken.
    ///
    /// - Throws: ``RegistryError`` where there is no answer.
    package func trySparseIndex(_ index: Document, in repository: Repository) async throws -> Trial {
        do {
            try await putManifest(index, as: .digest(index.descriptor.digest), in: repository)
        } catch let error as RegistryError where error.isAnswer {
            return Trial(error)
        }
        let left = "\(index.descriptor.digest) is left there, without a tag"
        do {
            let outcome = try await deleteManifest(.digest(index.descriptor.digest), in: repository)
            return Trial(isDone: true, detail: outcome == .unsupported ? left : nil)
        } catch let error as RegistryError where error.isAnswer {
            return Trial(isDone: true, detail: left)
        }
    }

    /// Tries a request; an answer that says no is an outcome.
    private func trial(
        _ method: HTTPMethod,
        _ path: String,
        of name: String,
        headers: HTTPHeaders = [:],
        body: HTTPRequest.Body = .none,
        scopes: [Scope],
        statuses: Set<Int>,
        _ context: RequestContext
    ) async throws -> (trial: Trial, response: HTTPResponse?) {
        do {
            let (request, response) = try await send(
                method,
                path,
                to: registry(name),
                headers: headers,
                body: body,
                scopes: scopes,
                retryLimit: 1,
                context: context
            )
            try response.expect(statuses, of: request, context: context)
            return (Trial(isDone: true), response)
        } catch let error as RegistryError where error.isAnswer {
            return (Trial(error), nil)
        }
    }

    /// Who we are at a registry, as a message names it; nil for nobody in particular.
    ///
    /// - Throws: `CancellationError` alone.
    package func identity(at name: String, path: String?) async throws -> String? {
        guard let credentials = try await configuration.credentials(name, path, nil) else { return nil }
        return switch credentials.kind {
        case .password(let username, _): "\(username), from \(credentials.source)"
        case .identityToken: "an identity token, from \(credentials.source)"
        case .registryToken: "a token, from \(credentials.source)"
        }
    }
}
