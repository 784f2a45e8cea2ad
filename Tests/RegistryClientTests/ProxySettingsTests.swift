import Foundation
import Testing

@testable import RegistryClient

/// What the environment says of proxies.
@Suite struct ProxySettingsTests {
    private func proxy(_ environment: [String: String], for url: String) throws -> ProxyAddress? {
        let origin = try #require(URLParts.origin(of: url))
        return try ProxySettings(environment: environment).proxy(for: origin)
    }

    @Test(
        arguments: [
            ([:], "https://r.example/", nil),
            // Each scheme has its own, and neither stands in for the other.
            (["HTTPS_PROXY": "p:1"], "https://r.example/", "p:1"),
            (["HTTPS_PROXY": "p:1"], "http://r.example/", nil),
            (["HTTP_PROXY": "p:1"], "http://r.example/", "p:1"),
            (["HTTP_PROXY": "p:1"], "https://r.example/", nil),
            // Upper case first; what is empty is not there.
            (["HTTPS_PROXY": "upper:1", "https_proxy": "lower:1"], "https://r.example/", "upper:1"),
            (["HTTP_PROXY": "upper:1", "http_proxy": "lower:1"], "http://r.example/", "upper:1"),
            (["HTTPS_PROXY": "", "https_proxy": "lower:1"], "https://r.example/", "lower:1"),
            (["http_proxy": "lower:1"], "http://r.example/", "lower:1"),
            (["HTTPS_PROXY": ""], "https://r.example/", nil),
            // In a CGI program a client decides what HTTP_PROXY is, but not the others.
            (["HTTP_PROXY": "evil:1", "REQUEST_METHOD": "GET"], "http://r.example/", nil),
            (["HTTP_PROXY": "evil:1", "http_proxy": "p:1", "REQUEST_METHOD": "GET"], "http://r.example/", "p:1"),
            (["HTTPS_PROXY": "p:1", "REQUEST_METHOD": "GET"], "https://r.example/", "p:1"),
            // Exceptions.
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "r.example"], "https://r.example/", nil),
            (["HTTPS_PROXY": "p:1", "no_proxy": "r.example"], "https://r.example/", nil),
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "a", "no_proxy": "r.example"], "https://r.example/", "p:1"),
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "r.example:443"], "https://r.example/", nil),
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "[fd00::1]:5000"], "https://[fd00::1]:5000/", nil),
            (["HTTPS_PROXY": "p:1", "NO_PROXY": "[fd00::1]:5000"], "https://[fd00::1]/", "p:1"),
            (["HTTP_PROXY": "p:1"], "http://localhost:5000/", nil),
            (["HTTP_PROXY": "p:1"], "http://[::1]:5000/", nil),
        ] as [([String: String], String, String?)]
    )
    func `the environment says which proxy is gone through`(
        environment: [String: String],
        url: String,
        expected: String?
    ) throws {
        #expect(try proxy(environment, for: url)?.description == expected)
    }

    @Test(
        arguments: [
            ("proxy.site:3128", .http, "proxy.site:3128", nil),
            ("proxy.site", .http, "proxy.site:80", nil),
            ("http://proxy.site:3128", .http, "proxy.site:3128", nil),
            ("HTTP://proxy.site:3128/", .http, "proxy.site:3128", nil),
            ("http://10.0.0.1:3128/path?query", .http, "10.0.0.1:3128", nil),
            ("http://[fd00::1]:3128", .http, "[fd00::1]:3128", nil),
            ("[fd00::1]", .http, "[fd00::1]:80", nil),
            ("socks5://proxy.site", .socks5, "proxy.site:1080", nil),
            ("socks5h://proxy.site:9", .socks5, "proxy.site:9", nil),
            // The user, with what is escaped in it.
            ("http://me:secret@proxy.site:3128", .http, "proxy.site:3128", "me:secret"),
            ("me:secret@proxy.site:3128", .http, "proxy.site:3128", "me:secret"),
            ("http://me@proxy.site:3128", .http, "proxy.site:3128", "me:"),
            ("http://me:p%40ss%3Aword%2F@proxy.site:3128", .http, "proxy.site:3128", "me:p@ss:word/"),
            ("http://me:a@b:c@proxy.site:3128", .http, "proxy.site:3128", "me:a@b:c"),
            ("http://me:100%@proxy.site:3128", .http, "proxy.site:3128", "me:100%"),
            ("http://me:%C3%A9@proxy.site:3128", .http, "proxy.site:3128", "me:é"),
            ("http://@proxy.site:3128", .http, "proxy.site:3128", nil),
        ] as [(String, ProxyAddress.Kind, String, String?)]
    )
    func `a proxy is read`(text: String, kind: ProxyAddress.Kind, name: String, user: String?) throws {
        let proxy = try ProxyAddress(parsing: text, variable: "HTTPS_PROXY")
        #expect(proxy.kind == kind)
        #expect(proxy.description == name)
        #expect(proxy.credentials == user.map { Data($0.utf8).base64EncodedString() })
        var dumped = ""
        dump(proxy, to: &dumped)
        for text in ["\(proxy)", String(reflecting: proxy), dumped] {
            #expect(!text.contains("secret"))
            #expect(proxy.credentials.map { !text.contains($0) } ?? true)
        }
    }

    /// The value may hold a password, so nothing of it is told.
    @Test(arguments: [
        ("https://me:secret@proxy.site:3128", "a proxy that is itself spoken to with TLS is not supported"),
        ("ftp://me:secret@proxy.site", "its scheme is neither http nor socks5"),
        ("secret://proxy.site", "its scheme is neither http nor socks5"),
        ("http://", "it names no host and port"),
        ("http://me:secret@", "it names no host and port"),
        ("http://me:sec/ret@proxy.site:3128", "it names no host and port"),
        ("http://12:34/secret@proxy.site:3128", "it names no host and port"),
        ("http://me:sec?ret@proxy.site", "it names no host and port"),
        ("http://proxy secret:3128", "it names no host and port"),
        ("http://proxy.site:0", "it names no host and port"),
        ("http://proxy.site:65536", "it names no host and port"),
        ("http://proxy.site:", "it names no host and port"),
        ("http://proxy.site:secret", "it names no host and port"),
        ("http://fd00::1:3128", "it names no host and port"),
        ("http://[secret]:3128", "it names no host and port"),
        ("http://[fd00::1]secret", "it names no host and port"),
        ("http://pröxy:3128", "it names no host and port"),
        ("http://proxy.site\u{0}:3128", "it names no host and port"),
        ("socks5://me:secret@proxy.site", "a user for a SOCKS proxy is not supported"),
    ])
    func `a proxy that cannot be used is told by its variable`(text: String, reason: String) throws {
        for variable in ["HTTP_PROXY", "https_proxy"] {
            let error = try #require(
                #expect(throws: ProxyError.self) {
                    let scheme = variable.lowercased().prefix { $0 != "_" }
                    return try proxy([variable: text], for: "\(scheme)://registry.site/")
                }
            )
            #expect(error.variable == variable)
            #expect(error.description.hasPrefix("reading the proxy in \(variable): \(reason)"), "\(error)")
            #expect(!error.description.contains("secret"))
        }
    }
}
