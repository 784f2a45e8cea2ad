import YAML

/// All events of a text, part by part.
func events(of text: [UInt8]) throws(YAMLError) -> [YAMLEvent] {
    var events: [YAMLEvent] = []
    for part in YAMLParts(of: text) {
        var reader = try YAMLReader(part, of: text)
        while let event = try reader.next() { events.append(event) }
    }
    return events
}

/// All scalars of a text.
func scalars(of text: String) throws(YAMLError) -> [YAMLScalar] {
    try events(of: Array(text.utf8)).compactMap { event in
        if case .scalar(let scalar) = event { scalar } else { nil }
    }
}

/// The part of a text that lies in a range of its bytes.
func slice(_ text: String, _ range: Range<Int>) -> String { String(decoding: Array(text.utf8)[range], as: UTF8.self) }
