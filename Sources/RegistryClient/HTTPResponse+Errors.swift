import NIOHTTP1

extension HTTPResponse {
    /// What the registry says of an error.
    var registryMessages: [String] {
        RegistryAnswer.messages(in: body, type: headers.first(name: "Content-Type") ?? "")
    }

    /// Refuses every status but the given ones.
    ///
    /// - Throws: ``RegistryError`` with what the registry says of it.
    func expect(_ statuses: Set<Int>, of request: HTTPRequest, context: RequestContext) throws {
        guard !statuses.contains(status) else { return }
        throw error(to: request, context: context)
    }

    /// What this is as an error.
    func error(to request: HTTPRequest, context: RequestContext) -> RegistryError {
        let code: RegistryError.Code =
            switch status {
            case 401: .unauthorized
            case 403: .denied
            case 404: .notFound
            default: .unexpectedStatus
            }
        var error = RegistryError(
            code,
            context,
            request: request.name,
            status: status,
            registryMessages: registryMessages,
            reason: hint,
            retryAfter: retryAfter
        )
        error.remarks = AnswerRemarks(headers)
        return error
    }
}
