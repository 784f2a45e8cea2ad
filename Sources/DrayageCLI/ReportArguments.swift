import ArgumentParser
import Drayage
import FoundationEssentials
import Glibc
import Logging

/// What a command prints, and where.
struct ReportArguments: ParsableArguments {
    @Flag(help: "Print one JSON document on stdout.")
    var json = false

    @Option(name: .customLong("report"), help: "Write the JSON document to a file too.", completion: .file())
    var reportFile: String?

    @Flag(name: .shortAndLong, help: "Print errors only.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Print every request.")
    var verbose = false

    /// The log that `--verbose` prints.
    var logger: Logger {
        guard verbose else {
            return Logger(label: "drayage") { [quiet] _ in WarningHandler(logLevel: quiet ? .critical : .warning) }
        }
        var logger = Logger(label: "drayage") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .debug
        return logger
    }

    /// Runs a use case, shows its progress, prints its report and ends the command with its exit code.
    ///
    /// - Parameters:
    ///   - command: the command.
    ///   - printsText: whether the report is printed as text; asked at the end.
    ///   - useCase: the use case.
    /// - Throws: the exit code.
    func run(
        _ command: String,
        printsText: @autoclosure @Sendable () -> Bool = true,
        _ useCase: @escaping @Sendable (@escaping ProgressHandler) async throws -> Report
    ) async throws {
        let display = ProgressDisplay(mode: quiet ? .silent : verbose ? .lines : .suited)
        async let _: Void = display.run()
        let report: Report
        do {
            report = try await Interrupt.cancelling { try await useCase { display.take($0) } }
            display.end()
        } catch let error as ValidationError {
            display.end()
            Message.error(error.message)
            try write(Report(command: command, error: error))
            throw ExitCode(ExitStatus.usage.rawValue)
        } catch {
            display.end()
            Message.error(error is CancellationError ? Self.interruption(of: command) : "\(error)")
            try write(Report(command: command, error: error))
            throw ExitCode(ExitStatus(of: error).rawValue)
        }
        try write(report)
        let output = OutputStream.standardOutput
        if !quiet, !json, printsText() { try print(ReportText(report, columns: output.columns).text) }
        for failure in ReportText(report).failures { Message.error(failure) }
        if !quiet { for note in report.notes { Message.note(note) } }
        if !quiet { for line in ReportText(report).quotas { Message.note(line) } }
        if !quiet, let summary = ReportText(report).summary { Message.note(summary) }
        if report.exitStatus != .done { throw ExitCode(report.exitStatus.rawValue) }
    }

    /// What an interruption leaves, which is what the user wants to know next.
    private static func interruption(of command: String) -> String {
        switch command {
        case "bundle", "merge": "interrupted; the same command goes on where this one ended"
        case "push", "copy": "interrupted; what has arrived is not sent again by the same command"
        case "repair": "interrupted; what is damaged still is, and the same command goes on"
        case "prune": "interrupted; what was not removed yet is as it was, and the same command goes on"
        default: "interrupted"
        }
    }

    /// Writes data; a document that is cut off must not look like success.
    private func print(_ text: String) throws {
        guard !OutputStream.standardOutput.write(text) else { return }
        Message.error("writing to stdout: \(unsafe String(cString: strerror(errno)).lowercased())")
        throw ExitCode(ExitStatus.failed.rawValue)
    }

    private func write(_ report: Report) throws {
        guard json || reportFile != nil else { return }
        let data = try JSONText.encode(report)
        if json { try print(String(decoding: data, as: UTF8.self) + "\n") }
        guard let reportFile else { return }
        do {
            try data.write(to: URL(filePath: reportFile), options: .atomic)
        } catch {
            Message.error("writing the report \(reportFile): \(error)")
            throw ExitCode(ExitStatus.failed.rawValue)
        }
    }
}

/// What is done again.
struct RetryArguments: ParsableArguments {
    @Option(
        name: .customLong("retry-from"),
        help: ArgumentHelp("Do again only what failed, as the report of an earlier run tells it.", valueName: "report"),
        completion: .file(extensions: ["json"])
    )
    var file: String?

    /// The report; nil where all is to be done.
    ///
    /// - Throws: `DrayageError` where it is none of that command, ``ReportFileError`` where it cannot be read.
    func report(of command: String) throws -> EarlierReport? {
        guard let file else { return nil }
        do {
            return try EarlierReport(try Input.read(file: file, limit: Input.planLimit), of: command, path: file)
        } catch let error as Input.ReadError {
            throw ReportFileError(path: file, reason: "\(error)")
        }
    }
}

/// A report that cannot be read.
struct ReportFileError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "reading the report \(path): \(reason)".printable }
}

/// JSON as it is printed and written: for programs, and for people who look into it.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}

/// What is said to the user, on stderr.
enum Message {
    static func error(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) { write("error: \(line)") }
    }

    static func note(_ text: String) { write(text) }

    private static func write(_ line: String) {
        OutputStream.standardError.write(line.printable + "\n")
    }
}
