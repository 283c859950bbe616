//! Lines among the samples that are none.

/// As much of a line as is shown.
const SHOWN: usize = 40;

/// How many there were, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    count: u64,
    first: Option<(u64, String)>,
}

impl Foreign {
    /// Takes note of `count` lines, the first of them on `line`.
    pub(crate) fn note(&mut self, line: u64, count: u64, text: &[u8]) {
        self.count += count;
        if self.first.is_none() {
            let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN)]).into_owned();
            // A program's output may hold anything, also what moves a terminal's cursor.
            let plain = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
            let mut shown: String = plain.take(SHOWN).collect();
            if text.trim().chars().nth(SHOWN).is_some() {
                shown.push('…');
            }
            self.first = Some((line, shown));
        }
    }

    /// What there is to tell.
    pub(crate) fn sentence(&self) -> Option<String> {
        let (line, text) = self.first.as_ref()?;
        Some(match self.count {
            1 => format!("row {line} is not a sample and was passed over: '{text}'"),
            count => {
                format!("{count} lines are not samples and were passed over (row {line}: '{text}')")
            }
        })
    }
}
