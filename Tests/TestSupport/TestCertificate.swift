/// A server certificate for this machine and the authority that signed it, made by `openssl`.
package struct TestCertificate: Sendable {
    /// The authority's certificate: what a client is told to trust.
    package let authorityPath: String
    /// The server's certificate, for 127.0.0.1 and localhost.
    package let certificatePath: String
    /// The server's key.
    package let keyPath: String

    /// Makes them in a directory, as `ca.pem`, `server.pem` and `server.key`.
    package static func make(in scratch: ScratchDirectory) throws -> TestCertificate {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try openssl(
            ["req", "-x509"] + curve + [
                "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Drayage test authority",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
            ],
            in: scratch
        )
        try openssl(
            ["req"] + curve + ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"],
            in: scratch
        )
        try scratch.write(
            """
            subjectAltName=IP:127.0.0.1,DNS:localhost
            basicConstraints=CA:FALSE
            extendedKeyUsage=serverAuth

            """,
            to: "server.ext"
        )
        try openssl(
            [
                "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "server.pem", "-days", "2", "-extfile", "server.ext",
            ],
            in: scratch
        )
        return TestCertificate(
            authorityPath: scratch.path("ca.pem"),
            certificatePath: scratch.path("server.pem"),
            keyPath: scratch.path("server.key")
        )
    }

    private static func openssl(_ arguments: [String], in scratch: ScratchDirectory) throws {
        try Command("openssl", arguments, directory: scratch.path).check()
    }
}
