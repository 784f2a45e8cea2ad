extension RegistryContents.Repository {
    /// Gives every index that does not say when it was made the time of the newest beneath it.
    mutating func spreadTimes() {
        let indexes = manifests.filter { $1.created == nil && $1.needs.contains { manifests[$0.digest] != nil } }
        // Each round goes up a level.
        for _ in 0..<ImageIndex.nestingLimit {
            for (digest, index) in indexes {
                let newest = index.needs.compactMap { manifests[$0.digest]?.created }.max()
                manifests[digest]?.created = newest
            }
        }
    }
}
