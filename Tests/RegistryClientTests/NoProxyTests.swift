import Testing

@testable import RegistryClient

/// The hosts that are reached without a proxy.
@Suite struct NoProxyTests {
    @Test(arguments: [
        // A domain is the host and all in it; one with a dot before it only what is in it.
        ("example.com", "example.com", 443, true),
        ("example.com", "a.example.com", 443, true),
        ("example.com", "a.b.example.com", 443, true),
        ("example.com", "badexample.com", 443, false),
        ("example.com", "example.com.evil", 443, false),
        ("example.com", "com", 443, false),
        (".example.com", "example.com", 443, false),
        (".example.com", "a.example.com", 443, true),
        ("*.example.com", "example.com", 443, false),
        ("*.example.com", "a.example.com", 443, true),
        // No case, no dot at the end.
        ("EXAMPLE.com", "example.com", 443, true),
        ("example.com", "example.com.", 443, true),
        // A port.
        ("example.com:5000", "example.com", 5000, true),
        ("example.com:5000", "a.example.com", 5000, true),
        ("example.com:5000", "example.com", 443, false),
        (".example.com:5000", "a.example.com", 5000, true),
        // Addresses, with and without a port.
        ("10.0.0.1", "10.0.0.1", 5000, true),
        ("10.0.0.1", "10.0.0.2", 5000, false),
        ("10.0.0.1:5000", "10.0.0.1", 5000, true),
        ("10.0.0.1:5000", "10.0.0.1", 443, false),
        ("fd00::1", "fd00::1", 5000, true),
        ("[fd00::1]", "fd00::1", 5000, true),
        ("[fd00::1]:5000", "fd00::1", 5000, true),
        ("[fd00::1]:5000", "fd00::1", 443, false),
        ("fd00:0:0::1", "fd00::1", 443, true),
        ("::ffff:10.0.0.1", "10.0.0.1", 443, true),
        ("10.0.0.1", "::ffff:a00:1", 443, true),
        // Networks.
        ("10.0.0.0/8", "10.255.1.2", 443, true),
        ("10.0.0.0/8", "11.0.0.1", 443, false),
        ("10.20.30.40/8", "10.1.1.1", 443, true),
        ("10.128.0.0/9", "10.127.0.1", 443, false),
        ("10.128.0.0/9", "10.129.0.1", 443, true),
        ("10.0.0.4/31", "10.0.0.5", 443, true),
        ("10.0.0.4/31", "10.0.0.6", 443, false),
        ("0.0.0.0/0", "8.8.8.8", 443, true),
        ("0.0.0.0/0", "fd00::1", 443, false),
        ("0.0.0.0/0", "example.com", 443, false),
        ("fd00::/8", "fd12:3456::1", 443, true),
        ("fd00::/8", "fe80::1", 443, false),
        ("::/0", "fd00::1", 443, true),
        // Everything.
        ("*", "example.com", 443, true),
        ("*", "10.0.0.1", 5000, true),
        // Several, with commas or blanks or both.
        ("a.com,b.com", "b.com", 443, true),
        (" a.com ,  b.com ", "b.com", 443, true),
        ("a.com b.com\tc.com", "c.com", 443, true),
        (",,a.com,", "a.com", 443, true),
        // What means nothing names nobody.
        ("", "example.com", 443, false),
        (",", "example.com", 443, false),
        (".", "example.com", 443, false),
        ("10.0.0.0/33", "10.0.0.1", 443, false),
        ("10.0.0.0/x", "10.0.0.1", 443, false),
        ("/8", "10.0.0.1", 443, false),
        ("[fd00::1", "fd00::1", 443, false),
        ("example.com:x", "example.com", 443, false),
        // An address in another form is a name, as for Go.
        ("127.0.0.0/8", "2130706433", 443, false),
        ("2130706433", "2130706433", 443, true),
    ])
    func `a list is read as Go's programs read it`(list: String, host: String, port: Int, isCovered: Bool) {
        #expect(NoProxy(parsing: list).covers(host: host, port: port) == isCovered)
    }

    @Test(arguments: [
        ("localhost", true), ("localhost.", true), ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true),
        ("::ffff:127.0.0.1", true),
        // These only look like it.
        ("localhost.example", false), ("127.0.0.1.example", false), ("0.0.0.0", false), ("::", false), ("::2", false),
        ("2130706433", false), ("127.1", false),
    ])
    func `this machine is reached without a proxy`(host: String, isCovered: Bool) {
        #expect(NoProxy(parsing: "").covers(host: host, port: 5000) == isCovered)
    }
}
