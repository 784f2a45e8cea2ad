import Drayage
import Foundation
import RegistryTestSupport
import TestSupport
import Testing

extension FaultTableTests {
    /// Requests that the registry sends to another host, which must not learn who we are.
    @Suite struct Redirects {
        /// How the registry asks who we are.
        enum Authentication: String, CaseIterable, Sendable {
            case basic = "Basic"
            case bearer = "Bearer"
        }

        private static let user = TestSecrets.user("me")
        private static let basic = "Basic " + Data("\(user.name):\(user.password)".utf8).base64EncodedString()
        private let issuer = TokenIssuer(user: Self.user)

        /// The challenge to a request that does not say who it is from; nil where it does.
        private func challenge(_ request: Request, _ authentication: Authentication) -> Answer? {
            switch authentication {
            case .basic where request.header("Authorization") == Self.basic: nil
            case .basic: .error(401, "UNAUTHORIZED").with("WWW-Authenticate", "Basic realm=\"r\"")
            case .bearer where request.path == "/token": issuer.token(request)
            case .bearer: issuer.challenge(request)
            }
        }

        @Test(arguments: FaultStep.allCases, Authentication.allCases)
        func `the other host is told nothing`(step: FaultStep, authentication: Authentication) async throws {
            let registry = try await EmbeddedRegistry()
            let other = try FaultProxy(to: registry.address)
            var site = try await FaultSite(step.job, at: registry) { request, _ in
                if let challenge = challenge(request, authentication) { return .answer(challenge) }
                return step.includes(request) ? .redirect(request, to: other.address) : nil
            }
            site.workshop.connections.setCredentials(
                username: "me",
                password: Self.user.password,
                for: site.proxy.address
            )
            let report = await site.run()
            try await site.expectWhole(report)
            let moved = other.exchanges.map(\.request)
            #expect(moved.contains(where: step.includes))
            // An upload is where it was opened.
            #expect(moved.contains(where: FaultStep.putBlob.includes) == [.openUpload, .putBlob].contains(step))
            for request in moved {
                #expect(request.header("Authorization") == nil)
                let texts = [request.target] + request.headers.map(\.value)
                #expect(TestSecrets.found(in: Array(texts.joined(separator: "\n").utf8)) == [])
            }
            let name = "redirect to another host, \(authentication.rawValue), each \(step.rawValue)"
            FaultTable.current.note(name, at: site, report)
        }
    }
}
