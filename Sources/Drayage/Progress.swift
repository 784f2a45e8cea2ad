/// What happens while a job runs.
///
/// Events come from many threads at once, each blob's own in order.
@nonexhaustive
public enum ProgressEvent: Sendable {
    /// The work begins: so many references, or repositories, are to be looked up; 0 where that is not known yet.
    case resolving(count: Int)
    /// A reference was looked up.
    case resolved(name: String)
    /// A compressed file is unpacked, which takes so many bytes of disk for as long as it is read.
    case unpacking(path: String, byteCount: Int64)
    /// The plan is made: what there is to move.
    case planned(blobCount: Int, byteCount: Int64)
    /// What an interrupted run left was planned again: so much of it is copied to its new place.
    case carryingOver(byteCount: Int64)
    /// So much of it is there already, from a run that was interrupted.
    case continuing(byteCount: Int64)
    /// A blob is on its way.
    case blobStarted(Digest, byteCount: Int64)
    /// More bytes of a blob have been moved; or, where the number is negative, so many were moved in vain.
    case blobAdvanced(Digest, byteCount: Int64)
    /// A blob is where it belongs, verified.
    case blobFinished(Digest)
    /// A blob did not come through, and what was counted of it does not count; it may start again from elsewhere.
    case blobFailed(Digest)
    /// An image is whole.
    case imageFinished(name: String)
    /// An image could not be handled.
    case imageFailed(name: String, message: String)
    /// A plan is made, and somebody is asked whether it may be carried out.
    case awaitingApproval
    /// So many tags, manifests and blobs are to be removed.
    case removing(count: Int)
    /// One of them was removed.
    case removed
    /// A request failed, and is tried again after a while.
    case retrying(message: String, wait: Duration)
    /// The job ends without its file; what it has of it stays at a path, for the next run to go on with.
    case kept(path: String)
    /// All bytes are there; the file is being synced and given its name.
    case sealing
}

/// Takes events as they happen.
///
/// It is called on the hot path and must not wait.
public typealias ProgressHandler = @Sendable (ProgressEvent) -> Void
