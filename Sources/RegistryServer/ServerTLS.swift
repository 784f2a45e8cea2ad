import NIOSSL

/// The server's side of TLS.
enum ServerTLS {
    /// Reads a certificate and its key.
    ///
    /// - Throws: ``ServerError``.
    static func context(_ files: RegistryServer.Configuration.TLS) throws -> NIOSSLContext {
        let chain: [NIOSSLCertificateSource]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.certificatePath).map { .certificate($0) }
        } catch {
            throw ServerError(.certificate(path: files.certificatePath), underlying: error)
        }
        do {
            let key = try NIOSSLPrivateKey(file: files.keyPath, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(key)
            )
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ServerError(.privateKey(path: files.keyPath), underlying: error)
        }
    }
}
