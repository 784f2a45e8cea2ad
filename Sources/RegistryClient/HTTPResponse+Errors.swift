import FoundationEssentials
import NIOHTTP1

extension HTTPResponse {
    /// Refuses every status but the given ones.
    ///
    /// - Throws: ``RegistryError`` with what the registry says of it.
    func expect(_ statuses: Set<Int>, of request: HTTPRequest, context: RequestContext) throws {
        guard !statuses.contains(status) else { return }
        let code: RegistryError.Code =
            switch status {
            case 401: .unauthorized
            case 403: .denied
            case 404: .notFound
            default: .unexpectedStatus
            }
        throw RegistryError(
            code,
            context,
            request: request.name,
            status: status,
            registryMessages: registryMessages
        )
    }

    /// The codes and messages of the body.
    ///
    /// Spec: distribution "Error Codes".
    private var registryMessages: [String] {
        if let answer = try? JSONDecoder().decode(ErrorBody.self, from: Data(body)) {
            let others = [answer.details, answer.message].compactMap(\.self)
            let messages = (answer.errors ?? []).prefix(5).map(\.text) + others
            if !messages.isEmpty { return messages.map { String($0.prefix(300)) } }
        }
        let type = headers.first(name: "Content-Type") ?? ""
        guard !type.contains("html") else { return ["an HTML page, so perhaps not a registry"] }
        let line = String(decoding: body.prefix(300), as: UTF8.self).split(whereSeparator: \.isNewline).first
        return line.map { [String($0)] } ?? []
    }

    private struct ErrorBody: Decodable {
        struct Entry: Decodable {
            let code: String?
            let message: String?

            var text: String {
                [code, message].compactMap { $0?.isEmpty == false ? $0 : nil }.joined(separator: ": ")
            }
        }

        let errors: [Entry]?
        let details: String?
        let message: String?
    }
}
