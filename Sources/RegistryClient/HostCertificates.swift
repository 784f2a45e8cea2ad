import FoundationEssentials
import Glibc
import NIOSSL
import OCI

/// The certificates that docker and podman keep for a host, in directories that have its name.
///
/// Each `*.crt` is an authority; each `X.cert`, with its key `X.key`, is a certificate to show.
struct HostCertificates: Sendable {
    private(set) var authorities: [NIOSSLCertificate] = []
    /// What is shown; of several the first.
    private(set) var identity: Identity?

    /// A certificate of ours, with those that vouch for it, and its key.
    struct Identity: Sendable {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    var isEmpty: Bool { authorities.isEmpty && identity == nil }

    /// None.
    init() {}

    /// Reads all directories of a host.
    ///
    /// - Parameters:
    ///   - folders: the folders that have a directory for each host; what comes first goes first.
    ///   - names: what the host may be called, in lower case.
    /// - Throws: ``TrustError`` where a file in one of them cannot be used.
    init(in folders: [String], names: Set<String>) throws(TrustError) {
        for folder in folders {
            // A folder that is not there, or not for us, says nothing of any host; podman takes it so too.
            let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for entry in entries.sorted() where names.contains(entry.lowercased()) { try read("\(folder)/\(entry)") }
        }
    }

    private mutating func read(_ directory: String) throws(TrustError) {
        let entries: Set<String>
        do {
            entries = Set(try FileManager.default.contentsOfDirectory(atPath: directory))
        } catch {
            // What is not for us says nothing to us; docker's is often the system's alone, and podman takes it so too.
            guard unsafe access(directory, R_OK | X_OK) != 0, errno == EACCES else {
                throw TrustError(path: directory, reason: "the directory cannot be read")
            }
            return
        }
        for entry in entries.sorted() {
            let path = "\(directory)/\(entry)"
            if entry.hasSuffix(".crt") {
                authorities += try PEMFile.certificates(path)
            } else if entry.hasSuffix(".cert") {
                let key = String(entry.dropLast(4)) + "key"
                guard entries.contains(key) else {
                    throw TrustError(
                        path: path,
                        reason: "its key is missing; put it beside it as \(key), or name an authority *.crt"
                    )
                }
                let found = try Self.identity(path, key: "\(directory)/\(key)")
                identity = identity ?? found
            } else if entry.hasSuffix(".key") {
                let certificate = String(entry.dropLast(3)) + "cert"
                guard entries.contains(certificate) else {
                    throw TrustError(
                        path: path,
                        reason: "its certificate is missing; put it beside it as \(certificate)"
                    )
                }
            }
        }
    }

    private static func identity(_ path: String, key keyPath: String) throws(TrustError) -> Identity {
        let chain = try PEMFile.certificates(path)
        let key = try PEMFile.key(keyPath)
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates([])
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TrustError(path: keyPath, reason: "it is not the key of the certificate in \(path.printable)")
        }
        return Identity(chain: chain, key: key)
    }
}

/// A file of certificates or keys.
enum PEMFile {
    /// Reads all certificates of a file.
    ///
    /// - Throws: ``TrustError`` where there is none, or one of them is broken.
    static func certificates(_ path: String) throws(TrustError) -> [NIOSSLCertificate] {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            if !certificates.isEmpty { return certificates }
        } catch {
            throw TrustError(path: path, reason: problem(path, isNone: "it is no PEM file of certificates"))
        }
        throw TrustError(path: path, reason: "it holds no certificate")
    }

    /// Reads the key of a file.
    ///
    /// - Throws: ``TrustError`` where there is none that needs no password.
    static func key(_ path: String) throws(TrustError) -> NIOSSLPrivateKey {
        do {
            return try NIOSSLPrivateKey(file: path, format: .pem)
        } catch {
            let reason = "it is no PEM file of a key, or one that needs a password, which nobody is asked for"
            throw TrustError(path: path, reason: problem(path, isNone: reason))
        }
    }

    private static func problem(_ path: String, isNone reason: String) -> String {
        guard FileManager.default.fileExists(atPath: path) else { return "there is no such file" }
        return FileManager.default.isReadableFile(atPath: path) ? reason : "it may not be read; see its permissions"
    }
}

/// A file of certificates that cannot be used.
package struct TrustError: Error, Sendable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What is wrong with it, and what to do.
    package let reason: String
    /// The variable that names it.
    package var variable: String?

    init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// One line: operation, subject, cause.
    package var description: String {
        "reading the certificates in \(path.printable)\(variable.map { ", which \($0) names" } ?? ""): \(reason.printable)"
    }
}
