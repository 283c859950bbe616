//! What a file's or a folder's name is made of: words, numbers and time stamps.

/// A part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Letters.
    Word,
    /// Digits that count something.
    Number,
    /// Digits that tell a date, a time of day or a Unix time.
    Stamp,
    /// A hash or a random name.
    Id,
}

/// A part of a name and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Its first byte within the name.
    pub at: usize,
}

impl Part<'_> {
    /// The number, of a [`Kind::Number`].
    pub(crate) fn number(&self) -> Option<u64> {
        // A float holds whole numbers up to 2^53, and blocks become floats.
        let number = self.text.parse().ok().filter(|n| *n < 1 << 53);
        number.filter(|_| self.kind == Kind::Number)
    }

    fn end(&self) -> usize {
        self.at + self.text.len()
    }

    fn digits(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Stamp)
    }
}

/// From this number on it counts no trials of one study: it is an identifier or a time.
const COUNTS_BELOW: u64 = 100_000;

/// Words for repetitions; a folder or a number called like that holds trials and is no treatment.
const REPETITIONS: [&str; 25] = [
    "attempt",
    "batchrun",
    "block",
    "day",
    "experiment",
    "iter",
    "iteration",
    "measure",
    "measurement",
    "no",
    "nr",
    "pass",
    "r",
    "rep",
    "repeat",
    "repetition",
    "round",
    "run",
    "s",
    "sample",
    "session",
    "set",
    "test",
    "trial",
    "week",
];

/// Whether a word names a repetition, such as `run`, `Session` or `tests`.
pub(super) fn is_repetition(word: &str) -> bool {
    let word = word.to_lowercase();
    REPETITIONS.contains(&word.as_str())
        || word.strip_suffix('s').is_some_and(|one| REPETITIONS.contains(&one))
}

/// Takes a name (without its ending) apart: at every separator, and between letters and digits.
pub(super) fn parts(name: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for run in name.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        let begin = run.as_ptr() as usize - name.as_ptr() as usize;
        if is_identifier(run) {
            parts.push(Part { kind: Kind::Id, text: run, at: begin });
            continue;
        }
        let mut from = 0;
        for (to, _) in switches(run).chain([(run.len(), ' ')]) {
            let text = &run[from..to];
            let digits = text.starts_with(|c: char| c.is_ascii_digit());
            let kind = if digits { Kind::Number } else { Kind::Word };
            parts.push(Part { kind, text, at: begin + from });
            from = to;
        }
    }
    mark_stamps(&mut parts);
    parts
}

/// Where letters follow digits or digits letters.
fn switches(run: &str) -> impl Iterator<Item = (usize, char)> {
    let mut last: Option<bool> = None;
    run.char_indices().filter(move |(_, c)| {
        let digit = c.is_ascii_digit();
        last.replace(digit).is_some_and(|last| last != digit)
    })
}

/// Whether letters and digits without a separator are a hash or a random name: hexadecimal, and going to and
/// fro between the two.
fn is_identifier(run: &str) -> bool {
    run.len() >= 6 && run.bytes().all(|b| b.is_ascii_hexdigit()) && switches(run).count() >= 2
}

fn mark_stamps(parts: &mut Vec<Part<'_>>) {
    let mut at = 0;
    while at < parts.len() {
        let date = date_at(&parts[at..]);
        if date == 0 {
            if parts[at].digits() && stands_alone(parts[at].text) {
                parts[at].kind = Kind::Stamp;
            }
            at += 1;
            continue;
        }
        let mut end = at + date;
        // `2026-02-19T13-10-40`: the letter belongs to the stamp.
        let letter = parts.get(end).is_some_and(|p| matches!(p.text, "T" | "t" | "at"));
        let time = time_at(&parts[(end + usize::from(letter)).min(parts.len())..]);
        if time > 0 {
            end += usize::from(letter) + time;
            if parts.get(end).is_some_and(|p| matches!(p.text, "Z" | "z")) {
                end += 1;
            }
        }
        for part in &mut parts[at..end] {
            part.kind = Kind::Stamp;
        }
        at = end;
    }
}

fn value(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    year.len() == 4
        && (1990..2100).contains(&value(year))
        && (1..=12).contains(&value(month))
        && (1..=31).contains(&value(day))
}

/// How many parts a date takes here: `20260219`, `2026-02-19`, `19-02-2026`; 0 for none.
fn date_at(parts: &[Part<'_>]) -> usize {
    let digits = |n: usize| parts.get(n).filter(|p| p.digits()).map_or("", |p| p.text);
    let first = digits(0);
    if first.len() == 8 && is_date(&first[..4], &first[4..6], &first[6..]) {
        return 1;
    }
    let joined = parts.len() >= 3 && parts[..3].windows(2).all(|p| p[1].at - p[0].end() == 1);
    let (second, third) = (digits(1), digits(2));
    let short = |text: &str| (1..=2).contains(&text.len());
    if joined && short(second) && (short(third) || short(first)) {
        let forward = is_date(first, second, third);
        return if forward || is_date(third, second, first) { 3 } else { 0 };
    }
    0
}

/// How many parts a time of day takes here, after a date: `131040`, `1310`, `13-10-40`, `13-10`.
fn time_at(parts: &[Part<'_>]) -> usize {
    let digits = |n: usize| parts.get(n).filter(|p| p.digits()).map_or("", |p| p.text);
    let first = digits(0);
    if matches!(first.len(), 4 | 6 | 9) && value(&first[..2]) < 24 && value(&first[2..4]) < 60 {
        return 1;
    }
    let two = |n: usize, below: u64| digits(n).len() == 2 && value(digits(n)) < below;
    match (two(0, 24), two(1, 60), two(2, 60)) {
        (true, true, true) => 3,
        (true, true, false) => 2,
        _ => 0,
    }
}

/// Whether digits by themselves are a time or an identifier: a Unix time, a date with its time of
/// day, or a number beyond any count of trials.
fn stands_alone(text: &str) -> bool {
    value(text) >= COUNTS_BELOW
}

/// The parts of a name that are kept, as they are written there; an underscore for what was left
/// out between them.
pub(super) fn label(name: &str, parts: &[Part<'_>], keep: impl Fn(usize) -> bool) -> String {
    let mut label = String::new();
    let mut last: Option<usize> = None;
    for (at, part) in parts.iter().enumerate().filter(|(at, _)| keep(*at)) {
        match last {
            Some(before) if before + 1 == at => {
                label += &name[parts[before].end()..part.at];
            }
            Some(_) => label.push('_'),
            None => {}
        }
        label += part.text;
        last = Some(at);
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(name: &str) -> String {
        let letter = |p: &Part<'_>| match p.kind {
            Kind::Word => 'w',
            Kind::Number => 'n',
            Kind::Stamp => 's',
            Kind::Id => 'i',
        };
        parts(name).iter().map(letter).collect()
    }

    #[test]
    fn names_come_apart_into_words_numbers_and_stamps() {
        for (name, want) in [
            ("torch_12", "wn"),
            ("python3.11_run04", "wnnwn"),
            ("7 (1)", "nn"),
            ("p_20260219_131040", "wss"),
            ("log-2026-02-19T13-10-40Z", "wssssssss"),
            ("m1_19-02-2026_3", "wnsssn"),
            ("energy_1771503040", "ws"),
            ("energy_1771503040123_2", "wsn"),
            ("measure_20260219131040", "ws"),
            ("x_131040", "ws"),
            ("x_000012", "wn"),
            ("été_3", "wn"),
            ("java_3f2a9c1d", "wi"),
            ("b2_e10", "wnwn"),
            ("log20260219abc", "wsw"),
            ("batch64-lr0.01-9", "wnwnnn"),
            ("", ""),
        ] {
            assert_eq!(kinds(name), want, "{name}");
        }
    }

    #[test]
    fn a_label_keeps_what_stood_between_its_parts() {
        let name = "python3.11-slow_run04";
        let parts = parts(name);
        assert_eq!(label(name, &parts, |at| at < 4), "python3.11-slow");
        assert_eq!(label(name, &parts, |at| at == 0 || at == 3), "python_slow");
    }

    #[test]
    fn words_for_repetitions_are_known_in_any_case_and_number() {
        assert!(["Run", "sessions", "TEST", "day", "rep"].iter().all(|w| is_repetition(w)));
        assert!(!["threads", "batch", "docker", "v"].iter().any(|w| is_repetition(w)));
    }
}
