//! What is struck out before a text is published: home folders and what looks like a secret.
//!
//! Written files leave out their maker's home folder when they are written; a script's exception, a folder from
//! another machine or a command line may still hold one. The same change in a record and in the table made from
//! it leaves both in agreement.

use crate::clean;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// What was struck out of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Struck {
    /// Home folders, written `~`.
    pub homes: usize,
    /// What looked like secrets.
    pub secrets: usize,
}

/// A home folder's path where a path begins; group 1 is what stands before.
static HOME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(^|[^\w.~/\\-])(?:/(?:usr/)?home/[^/\s"'<>:;,()\\]+|/Users/[^/\s"'<>:;,()\\]+|/root\b|[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/)[^/\s"'<>:;,()\\]+)"#,
    )
});

/// Tokens by their makers' forms, private keys, passwords in addresses, and assignments to telling names.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|\\n)*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{30,}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{30,}\b",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bhf_[A-Za-z0-9]{30,}\b",
        r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"\bsk-[A-Za-z0-9_-]{32,}",
        r"\bpypi-[A-Za-z0-9_-]{50,}",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
    ];
    regex(&forms.map(|form| format!("(?:{form})")).join("|"))
});

/// Groups 1 to 3 stay, 4 is the value of an assignment.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r#"(?i)(\b[a-z][a-z0-9+.-]*://[^/\s:@"'<>]*:)[^/\s@"'<>]+(@)|"#,
        r#"(\b[\w-]*(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key)[\w-]*\\?["']?\s*[=:]\s*\\?["']?)([^\s"'\\,;&<>{}\[\]]{6,})"#
    ))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of our own")
}

/// What stands for a secret.
const STRUCK: &str = "[struck out]";

/// A text without home folders and secrets.
pub(crate) fn strike(text: &str) -> (String, Struck) {
    let mut struck = Struck::default();
    let mine = clean::private(text);
    // This user's own folders are counted after all are found, as any user's path is private.
    struck.homes += usize::from(mine != text);
    let text = HOME.replace_all(&mine, |found: &Captures<'_>| {
        struck.homes += 1;
        format!("{}~", &found[1])
    });
    let text = SECRET.replace_all(&text, |_: &Captures<'_>| {
        struck.secrets += 1;
        STRUCK
    });
    let text = NAMED.replace_all(&text, |found: &Captures<'_>| {
        if found.get(4).is_some_and(|value| value.as_str().parse::<f64>().is_ok()) {
            return found[0].to_owned(); // a count of tokens, say
        }
        struck.secrets += 1;
        let (before, after) = match found.get(1) {
            Some(before) => (before.as_str(), "@"),
            None => (found.get(3).map_or("", |m| m.as_str()), ""),
        };
        format!("{before}{STRUCK}{after}")
    });
    (text.into_owned(), struck)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(text: &str) -> String {
        strike(text).0
    }

    #[test]
    fn homes_of_all_systems_are_written_short() {
        for (text, short) in [
            ("FileNotFoundError: '/home/ada/x.csv'", "FileNotFoundError: '~/x.csv'"),
            (r#"{"why": "/Users/grace/run"}"#, r#"{"why": "~/run"}"#),
            (r#"{"why": "C:\\Users\\mary\\run"}"#, r#"{"why": "~\\run"}"#),
            ("PATH=/root/bin", "PATH=~/bin"),
            ("/usr/share/rootless and /data/home/x", "/usr/share/rootless and /data/home/x"),
        ] {
            assert_eq!(struck(text), short);
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_struck_out_and_the_rest_stays() {
        let token = format!("ghp_{}", "a1".repeat(18));
        assert_eq!(struck(&format!("with {token}.")), format!("with {STRUCK}."));
        assert_eq!(struck("https://me:hunter2@host/x"), format!("https://me:{STRUCK}@host/x"));
        assert_eq!(struck("MY_API_KEY=abcdef123 ran"), format!("MY_API_KEY={STRUCK} ran"));
        assert_eq!(
            struck(r#"{"password": "swordfish"}"#),
            format!(r#"{{"password": "{STRUCK}"}}"#)
        );
        assert_eq!(strike("MY_API_KEY=abcdef123").1, Struck { homes: 0, secrets: 1 });
        for plain in [
            "tokens: 12",
            "monkey: business",
            "2026-11-25T14:05:09",
            "a: b@c",
            "\"max_tokens\": 1234567,",
        ] {
            assert_eq!(strike(plain), (plain.to_owned(), Struck::default()));
        }
    }

    #[test]
    fn json_stays_json() {
        let text = r#"{"reason": "token=\"abcdefgh\" in C:\\Users\\x\\y", "secret": "abcdefgh"}"#;
        let value: serde_json::Value = serde_json::from_str(&struck(text)).unwrap();
        assert_eq!(value["reason"], format!("token=\"{STRUCK}\" in ~\\y"));
        assert_eq!(value["secret"], STRUCK);
    }
}
