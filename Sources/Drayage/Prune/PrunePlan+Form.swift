extension PrunePlan {
    /// The most uploads of a repository: far beyond what any has, and too few for their sum to overflow.
    private static let uploadLimit = 1 << 31

    /// Refuses a plan that was not made by this version, or not for this target.
    ///
    /// - Throws: ``DrayageError`` with `usage`.
    func check(for name: String) throws {
        guard schema == Self.currentSchema else {
            throw DrayageError(.usage, "the plan is of the form \(schema), not of \(Self.currentSchema); plan again")
        }
        guard target == name else { throw DrayageError(.usage, "the plan is for \(target), not for \(name)") }
        // What is said of a repository is held against the registry once.
        guard Set(repositories.map(\.repository)).count == repositories.count else {
            throw DrayageError(.usage, "the plan names a repository twice, as no plan of drayage does; plan again")
        }
        guard hasPossibleNumbers else {
            throw DrayageError(.usage, "the plan has a number that cannot be, as no plan of drayage does; plan again")
        }
    }

    private var hasPossibleNumbers: Bool {
        freedByteCount >= 0 && blobs.allSatisfy { $0.byteCount >= 0 }
            && repositories.allSatisfy { repository in
                (0...Self.uploadLimit).contains(repository.uploadCount)
                    && repository.manifests.allSatisfy { $0.byteCount >= 0 }
            }
    }
}
