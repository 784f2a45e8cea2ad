import FoundationEssentials
import OCI

/// The JSON that registries and their token servers answer with.
enum RegistryAnswer {
    /// The most messages of an error that are told.
    private static let messageLimit = 5

    /// The codes and messages of an error, or the first line of what was sent instead.
    ///
    /// Spec: distribution "Error Codes".
    static func messages(in body: [UInt8], type: String) -> [String] {
        if let answer = try? JSONDecoder().decode(ErrorBody.self, from: Data(body)) {
            let others = [answer.details, answer.message].compactMap(\.self)
            let messages = ((answer.errors ?? []).prefix(messageLimit).map(\.text) + others).filter { !$0.isEmpty }
            if !messages.isEmpty { return messages.map(\.printableExcerpt) }
        }
        guard !type.contains("html") else { return ["an HTML page, so perhaps not a registry"] }
        let line = String(decoding: body.prefix(300), as: UTF8.self).split(whereSeparator: \.isNewline).first
        return line.map { [String($0)] } ?? []
    }

    /// The token in a token server's answer and the seconds that it is good for; nil where there is none.
    ///
    /// Spec: distribution "Token Authentication Specification".
    static func token(in body: [UInt8]) -> (value: String, seconds: Int?)? {
        guard let answer = try? JSONDecoder().decode(TokenBody.self, from: Data(body)) else { return nil }
        guard let value = [answer.accessToken, answer.token].compactMap(\.self).first(where: { !$0.isEmpty }) else {
            return nil
        }
        guard Credentials.isToken(value) else { return nil }
        return (value, answer.expiresIn)
    }

    /// Whether an answer says that a refresh token is not good, or not any more.
    ///
    /// Spec: RFC 6749 "Error Response".
    static func isInvalidGrant(_ body: [UInt8]) -> Bool {
        (try? JSONDecoder().decode(GrantError.self, from: Data(body)))?.error == "invalid_grant"
    }

    /// The names on a page of a listing, of tags or of repositories; nil where it is no such page.
    static func names(in body: [UInt8]) -> [String]? {
        guard let page = try? JSONDecoder().decode(Page.self, from: Data(body)) else { return nil }
        return page.tags ?? page.repositories ?? []
    }

    /// The entries of a list of referrers, which is an index; nil where it is none.
    ///
    /// Of what they do not know some registries say nothing at all: `{}`.
    static func referrers(in body: [UInt8]) -> [Descriptor]? {
        guard let page = try? JSONDecoder().decode(ReferrersPage.self, from: Data(body)), page.errors == nil else {
            return nil
        }
        return page.manifests ?? []
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

    private struct TokenBody: Decodable {
        let token: String?
        let accessToken: String?
        let expiresIn: Int?

        private enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    private struct GrantError: Decodable {
        let error: String
    }

    /// A page of tags, or of the catalog: a registry sends one or the other.
    private struct Page: Decodable {
        let tags: [String]?
        let repositories: [String]?
    }

    /// A page of referrers.
    private struct ReferrersPage: Decodable {
        let manifests: [Descriptor]?
        let errors: [ErrorBody.Entry]?
    }
}
