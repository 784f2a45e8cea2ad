/// The version of Drayage.
package enum Version {
    /// The version that this source is of.
    package static let current = "0.1.0"
}
