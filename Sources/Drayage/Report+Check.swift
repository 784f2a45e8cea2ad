extension Report {
    /// Something that was found out about a registry before anything is done there.
    public struct Check: Sendable, Encodable {
        /// What was found.
        public enum Answer: String, Sendable, Encodable {
            case yes
            case no
            /// It could not be found out.
            case unknown
        }

        /// The registry, or the repository there.
        public let subject: String
        /// What was asked, as a word or two: `reachable`, `pull`.
        public let name: String
        /// The answer.
        public let answer: Answer
        /// What is worth knowing besides.
        public let detail: String?

        init(_ subject: String, _ name: String, _ answer: Answer, _ detail: String? = nil) {
            self.subject = subject.printable
            self.name = name
            self.answer = answer
            self.detail = detail?.printable
        }
    }
}
