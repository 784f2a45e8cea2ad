import Foundation
import OCI
import Synchronization

extension RegistryContent {
    /// Answers a request as a registry does.
    package func answer(_ request: Request) -> Answer {
        let path = request.path
        if path == "/v2" || path == "/v2/" { return .text("{}") }
        if path == "/v2/_catalog" { return page(request, of: repositories, as: "repositories") }
        if let match = path.wholeMatch(of: /\/v2\/(.+)\/tags\/list/) {
            guard let stored = look(String(match.1)) else { return .error(404, "NAME_UNKNOWN") }
            return page(request, of: stored.tags.keys.sorted(), as: "tags", name: String(match.1))
        }
        if let match = path.wholeMatch(of: /\/v2\/(.+)\/manifests\/([^\/]+)/) {
            return manifest(request, String(match.1), String(match.2))
        }
        if let match = path.wholeMatch(of: /\/v2\/(.+)\/blobs\/uploads\/(.*)/) {
            return upload(request, String(match.1), session: String(match.2))
        }
        if let match = path.wholeMatch(of: /\/v2\/(.+)\/blobs\/([^\/]+)/) {
            return blob(request, String(match.1), String(match.2))
        }
        return Answer(404)
    }

    // MARK: - Lists

    private func page(_ request: Request, of all: [String], as key: String, name: String? = nil) -> Answer {
        let last = request.query["last"] ?? ""
        let size = min(pageSize, request.query["n"].flatMap { Int($0) } ?? pageSize)
        let rest = all.filter { $0 > last }
        let names = Array(rest.prefix(size))
        var fields: [String: Any] = [key: names]
        fields["name"] = name
        let body = (try? JSONSerialization.data(withJSONObject: fields, options: .sortedKeys)) ?? Data()
        let answer = Answer(headers: [("Content-Type", "application/json")], body: [UInt8](body))
        guard rest.count > size, let end = names.last else { return answer }
        return answer.with("Link", "<\(request.path)?last=\(end)&n=\(size)>; rel=\"next\"")
    }

    // MARK: - Reading

    private func manifest(_ request: Request, _ repository: String, _ name: String) -> Answer {
        switch request.method {
        case "GET", "HEAD":
            guard let stored = look(repository), let digest = stored.tags[name] ?? (try? Digest(parsing: name)),
                let bytes = stored.manifests[digest]
            else { return .error(404, "MANIFEST_UNKNOWN", "manifest unknown") }
            return Answer(
                headers: [
                    ("Content-Type", stored.mediaTypes[digest] ?? ""), ("Docker-Content-Digest", "\(digest)"),
                ],
                body: bytes
            )
        case "PUT":
            return put(request, repository, name)
        case "DELETE" where deletion != .off:
            return delete(repository, name)
        default:
            return .error(405, "UNSUPPORTED")
        }
    }

    private func blob(_ request: Request, _ repository: String, _ name: String) -> Answer {
        guard request.method == "GET" || request.method == "HEAD" else { return .error(405, "UNSUPPORTED") }
        guard let digest = try? Digest(parsing: name), let bytes = blob(digest, repository: repository) else {
            return .error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        }
        return Answer(
            headers: [("Content-Type", "application/octet-stream"), ("Docker-Content-Digest", "\(digest)")],
            body: bytes
        )
    }

    // MARK: - Writing

    /// Takes a manifest if everything that it names is there, as registries do.
    private func put(_ request: Request, _ repository: String, _ name: String) -> Answer {
        let algorithm = (try? Digest(parsing: name))?.algorithm ?? .sha256
        guard let digest = try? Digest.of(request.body, algorithm: algorithm),
            let object = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any]
        else { return .error(400, "MANIFEST_INVALID") }
        guard !name.contains(":") || name == digest.description else { return .error(400, "DIGEST_INVALID") }
        let stored = look(repository) ?? Stored()
        let layers = (object["layers"] as? [[String: Any]] ?? []).filter { $0["urls"] == nil }
        let blobs = [object["config"] as? [String: Any]].compactMap(\.self) + layers
        let children = takesSparseIndexes ? [] : object["manifests"] as? [[String: Any]] ?? []
        for (part, known) in blobs.map({ ($0, stored.blobs) }) + children.map({ ($0, stored.manifests) }) {
            let text = part["digest"] as? String ?? ""
            guard let digest = try? Digest(parsing: text), known[digest] != nil else {
                return .error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", detail: "\"\(text)\"")
            }
        }
        change(repository) { stored in
            stored.manifests[digest] = request.body
            stored.mediaTypes[digest] = request.header("Content-Type")
            stored.putOrder.append(name)
            if !name.contains(":") { stored.tags[name] = digest }
        }
        let location = "/v2/\(repository)/manifests/\(digest)"
        return Answer(201, headers: [("Location", location), ("Docker-Content-Digest", "\(digest)")])
    }

    private func delete(_ repository: String, _ name: String) -> Answer {
        let tagged = look(repository)?.tags[name]
        guard tagged == nil || deletion == .byTagWithManifest else { return .error(400, "DIGEST_INVALID") }
        guard let digest = try? tagged ?? Digest(parsing: name), manifest(digest, repository: repository) != nil else {
            return .error(404, "MANIFEST_UNKNOWN")
        }
        change(repository) { stored in
            stored.manifests[digest] = nil
            stored.tags = stored.tags.filter { $0.value != digest }
        }
        return Answer(202)
    }

    private func upload(_ request: Request, _ repository: String, session: String) -> Answer {
        switch request.method {
        case "POST" where session.isEmpty:
            mount(request, repository) ?? begin(request, repository)
        case "PUT":
            finish(request, repository, session)
        case "DELETE":
            Answer(204)
        default:
            .error(405, "UNSUPPORTED")
        }
    }

    private func mount(_ request: Request, _ repository: String) -> Answer? {
        guard allowsMount, let digest = try? Digest(parsing: request.query["mount"] ?? ""),
            let source = request.query["from"], let bytes = blob(digest, repository: source)
        else { return nil }
        change(repository) { $0.blobs[digest] = bytes }
        return Answer(201, headers: [("Location", "/v2/\(repository)/blobs/\(digest)")])
    }

    private func begin(_ request: Request, _ repository: String) -> Answer {
        let session = state.withLock { state in
            state.uploadNumber += 1
            state.uploads["\(state.uploadNumber)"] = repository
            return state.uploadNumber
        }
        // The query is part of the location, and a client must keep it when it adds the digest.
        let path = "/v2/\(repository)/blobs/uploads/\(session)?_state=a%2Fb%3D"
        let location =
            switch uploadLocation {
            case .relative: path
            case .absolute: "http://\(request.header("Host") ?? "")\(path)"
            case .otherHost(let host): "http://\(host)\(path)"
            }
        return Answer(202, headers: [("Location", location), ("Range", "0-0")])
    }

    private func finish(_ request: Request, _ repository: String, _ session: String) -> Answer {
        guard request.query["_state"] == "a/b=", state.withLock({ $0.uploads[session] }) == repository else {
            return .error(404, "BLOB_UPLOAD_UNKNOWN")
        }
        guard let digest = try? Digest(parsing: request.query["digest"] ?? ""),
            digest == (try? Digest.of(request.body, algorithm: digest.algorithm))
        else { return .error(400, "DIGEST_INVALID", "provided digest did not match uploaded content") }
        state.withLock { _ = $0.uploads.removeValue(forKey: session) }
        change(repository) { $0.blobs[digest] = request.body }
        let location = "/v2/\(repository)/blobs/\(digest)"
        return Answer(201, headers: [("Location", location), ("Docker-Content-Digest", "\(digest)")])
    }
}
