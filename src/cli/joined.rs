//! Arguments as clap takes them.

use std::ffi::OsString;

/// Puts a flag and a value that begins like a negative number together (`--seed -1` as `--seed=-1`), so
/// that what is wrong with the value is said with its flag. A command to be measured is left as it is.
pub(crate) fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut arguments = arguments.peekable();
    let mut measured = false;
    while let Some(mut argument) = arguments.next() {
        if !measured && (argument == "--parameter-scan" || argument == "-P") {
            joined.push(argument);
            joined.extend(scan(&mut arguments));
            continue;
        }
        let bytes = argument.as_encoded_bytes();
        if bytes == b"--" || bytes == b"measure" {
            measured = true;
        }
        let flag = bytes.starts_with(b"--") && bytes.len() > 2 && !bytes.contains(&b'=');
        let number = |next: &OsString| {
            let next = next.as_encoded_bytes();
            next.starts_with(b"-") && next.get(1).is_some_and(|b| b.is_ascii_digit() || *b == b'.')
        };
        if !measured
            && flag
            && let Some(value) = arguments.next_if(number)
        {
            argument.push("=");
            argument.push(value);
        }
        joined.push(argument);
    }
    joined
}

/// `NAME FROM TO [STEP]` as one word; what follows and is no number is no step.
fn scan(arguments: &mut std::iter::Peekable<impl Iterator<Item = OsString>>) -> Option<OsString> {
    let mut word = arguments.next()?;
    let number = |next: &OsString| next.to_str().is_some_and(|text| text.parse::<f64>().is_ok());
    for _ in 0..3 {
        let Some(next) = arguments.next_if(number) else { break };
        word.push(" ");
        word.push(next);
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_value_stays_with_its_flag_and_a_measured_command_as_it_is() {
        let joined = |words: &[&str]| {
            let joined = super::joined(words.iter().map(OsString::from));
            joined.into_iter().map(|w| w.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(joined(&["j", "--seed", "-1", "-q"]), ["j", "--seed=-1", "-q"]);
        assert_eq!(joined(&["j", "--warmup", "-.5s"]), ["j", "--warmup=-.5s"]);
        assert_eq!(joined(&["j", "--output", "--dry-run"]), ["j", "--output", "--dry-run"]);
        let scan = ["j", "compare", "-P", "n", "1", "3", "0.5", "sleep {n}", "2"];
        assert_eq!(joined(&scan)[3..], ["n 1 3 0.5", "sleep {n}", "2"]);
        let scan = ["j", "compare", "--parameter-scan", "n", "-1", "3", "sleep {n}"];
        assert_eq!(joined(&scan)[3..], ["n -1 3", "sleep {n}"]);
        let measured = ["j", "measure", "--", "tail", "--lines", "-1"];
        assert_eq!(joined(&measured), measured);
    }
}
