/// The version of Drayage.
package enum Version {
    /// The version that this source is of.
    package static let current = "0.1.0"

    #if arch(x86_64)
    /// What it was built for, as OCI platforms name it.
    package static let architecture = "amd64"
    #elseif arch(arm64)
    /// What it was built for, as OCI platforms name it.
    package static let architecture = "arm64"
    #else
    /// What it was built for, as OCI platforms name it.
    package static let architecture = "unknown"
    #endif
}
