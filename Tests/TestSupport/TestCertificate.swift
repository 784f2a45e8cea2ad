/// A server certificate for this machine and the authority that signed it, made by `openssl`.
package struct TestCertificate: Sendable {
    /// The authority's certificate: what a client is told to trust.
    package let authorityPath: String
    /// The server's certificate.
    package let certificatePath: String
    /// The server's key.
    package let keyPath: String

    /// The names and addresses of this machine that tests use.
    package static let ownNames = [
        "IP:127.0.0.1", "IP:::1", "DNS:localhost", "IP:0.0.0.0", "DNS:2130706433",
    ]

    /// Makes them in a directory, as `ca.pem`, `server.pem` and `server.key`.
    ///
    /// - Parameters:
    ///   - scratch: the directory.
    ///   - names: what the certificate is for, as `openssl` has it: `IP:127.0.0.1`, `DNS:localhost`.
    /// - Returns: where they are.
    /// - Throws: what `openssl` says.
    package static func make(
        in scratch: ScratchDirectory,
        for names: [String] = ownNames
    ) throws -> TestCertificate {
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
            subjectAltName=\(names.joined(separator: ","))
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

    /// Makes a client's certificate that the same authority has signed, in a directory that has the authority.
    ///
    /// - Parameters:
    ///   - name: the common name, and the name of the files: `name.cert` and `name.key`.
    ///   - scratch: the directory.
    /// - Returns: their paths.
    /// - Throws: what `openssl` says.
    package static func makeClient(
        _ name: String,
        in scratch: ScratchDirectory
    ) throws -> (certificate: String, key: String) {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        try openssl(
            ["req"] + curve + ["-keyout", "\(name).key", "-out", "\(name).csr", "-subj", "/CN=\(name)"],
            in: scratch
        )
        try scratch.write("basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n", to: "client.ext")
        try openssl(
            [
                "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "\(name).cert", "-days", "2", "-extfile", "client.ext",
            ],
            in: scratch
        )
        return (scratch.path("\(name).cert"), scratch.path("\(name).key"))
    }

    private static func openssl(_ arguments: [String], in scratch: ScratchDirectory) throws {
        try Command("openssl", arguments, directory: scratch.path).check()
    }
}
