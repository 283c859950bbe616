//! Gives uv the settings that pip has: which index to use, through which proxy, and which certificates.
//!
//! uv reads none of pip's settings. A machine that reaches packages through a mirror says so to
//! pip, so its settings are handed on, unless uv's own are set.

use std::collections::BTreeMap;
use std::path::Path;

/// pip's settings that matter here, as `pip config list` prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PipSettings(BTreeMap<String, String>);

impl PipSettings {
    /// Reads the lines of `pip config list`: `global.index-url='https://…'`.
    ///
    /// For `pip install`, its own section overrides the global one, and the environment both.
    pub(crate) fn parse(lines: &[String]) -> Self {
        let mut settings = BTreeMap::new();
        for section in ["global.", "install.", ":env:."] {
            for line in lines {
                if let Some((key, value)) =
                    line.strip_prefix(section).and_then(|rest| rest.split_once('='))
                {
                    settings.insert(key.to_owned(), unquote(value));
                }
            }
        }
        Self(settings)
    }

    fn words(&self, key: &str) -> Vec<&str> {
        self.0.get(key).map(|value| value.split_whitespace().collect()).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        let value = self.0.get(key).map(|value| value.to_lowercase());
        value.is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes" | "on"))
    }

    /// Environment variables for uv that say the same; `is_set` tells which are set already.
    pub(crate) fn for_uv(&self, is_set: &dyn Fn(&str) -> bool) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        let mut offer = |names: &[&str], name: &'static str, value: String| {
            if !value.is_empty() && !names.iter().any(|name| is_set(name)) && !is_set(name) {
                variables.push((name, value));
            }
        };
        offer(&["UV_INDEX_URL"], "UV_DEFAULT_INDEX", self.words("index-url").join(" "));
        let extra = self.words("extra-index-url").join(" ");
        // pip looks at all indexes alike. uv by default trusts the first that knows a name; as
        // every file's hash is locked, looking at all is as safe here.
        let strategy = if extra.is_empty() { "" } else { "unsafe-best-match" };
        offer(&["UV_EXTRA_INDEX_URL", "UV_INDEX"], "UV_INDEX_STRATEGY", strategy.into());
        offer(&["UV_EXTRA_INDEX_URL"], "UV_INDEX", extra);
        // pip passes over a folder that is not there; uv would stop.
        let links: Vec<&str> = self
            .words("find-links")
            .into_iter()
            .filter(|link| link.contains("://") || Path::new(link).exists())
            .collect();
        offer(&[], "UV_FIND_LINKS", links.join(","));
        offer(&[], "SSL_CERT_FILE", self.0.get("cert").cloned().unwrap_or_default());
        offer(&[], "SSL_CLIENT_CERT", self.0.get("client-cert").cloned().unwrap_or_default());
        offer(&[], "UV_INSECURE_HOST", self.words("trusted-host").join(" "));
        let proxy = self.0.get("proxy").cloned().unwrap_or_default();
        offer(&["https_proxy", "ALL_PROXY", "all_proxy"], "HTTPS_PROXY", proxy.clone());
        offer(&["http_proxy", "ALL_PROXY", "all_proxy"], "HTTP_PROXY", proxy);
        let timeout = self.0.get("timeout").or_else(|| self.0.get("default-timeout"));
        // pip accepts fractions of a second, uv does not.
        let seconds = timeout.and_then(|value| value.parse::<f64>().ok()).map(f64::ceil);
        let seconds = seconds.filter(|seconds| (1.0..=86_400.0).contains(seconds));
        offer(
            &["UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"],
            "UV_HTTP_TIMEOUT",
            seconds.map(|seconds| format!("{seconds:.0}")).unwrap_or_default(),
        );
        // pip trusts what the system trusts, since 24.2.
        offer(&["UV_NATIVE_TLS"], "UV_SYSTEM_CERTS", "1".into());
        variables
    }

    /// Whether pip is told to use no index at all (`--no-index`).
    pub(crate) fn no_index(&self) -> bool {
        self.flag("no-index")
    }
}

/// The text behind Python's `repr` of a string.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let quote = match value.chars().next() {
        Some(quote @ ('\'' | '"')) if value.len() >= 2 && value.ends_with(quote) => quote,
        _ => return value.to_owned(),
    };
    let mut text = String::new();
    let mut characters = value[1..value.len() - quote.len_utf8()].chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uv(lines: &[&str], set: &[&str]) -> Vec<(&'static str, String)> {
        let lines: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
        let variables = PipSettings::parse(&lines).for_uv(&|name| set.contains(&name));
        variables.into_iter().filter(|(name, _)| *name != "UV_SYSTEM_CERTS").collect()
    }

    #[test]
    fn the_environment_overrides_the_command_and_the_command_the_rest() {
        let lines = [
            ":env:.index-url='http://env/simple'",
            "global.index-url='http://global/simple'",
            "install.index-url='http://install/simple'",
        ];
        assert_eq!(uv(&lines, &[]), [("UV_DEFAULT_INDEX", "http://env/simple".into())]);
        assert_eq!(
            uv(&lines[1..], &[]),
            [("UV_DEFAULT_INDEX", "http://install/simple".to_owned())]
        );
    }

    #[test]
    fn what_uv_was_told_itself_stands() {
        let lines = ["global.index-url='http://a/simple'", "global.cert='/c.pem'"];
        assert_eq!(uv(&lines, &["UV_INDEX_URL"]), [("SSL_CERT_FILE", "/c.pem".into())]);
        assert_eq!(uv(&lines, &["UV_DEFAULT_INDEX", "SSL_CERT_FILE"]), []);
    }

    #[test]
    fn several_indexes_are_looked_at_alike_as_pip_does() {
        let lines = ["global.extra-index-url='\\nhttp://a/simple\\nhttp://b/simple'"];
        assert_eq!(
            uv(&lines, &[]),
            [
                ("UV_INDEX_STRATEGY", "unsafe-best-match".to_owned()),
                ("UV_INDEX", "http://a/simple http://b/simple".to_owned()),
            ]
        );
        assert_eq!(uv(&lines, &["UV_INDEX"]), []);
    }

    #[test]
    fn folders_that_are_not_there_are_passed_over_and_timeouts_rounded_up() {
        let lines = ["global.find-links='/no/such/folder http://links/'", ":env:.timeout='1.5'"];
        assert_eq!(
            uv(&lines, &[]),
            [("UV_FIND_LINKS", "http://links/".to_owned()), ("UV_HTTP_TIMEOUT", "2".to_owned())]
        );
    }

    #[test]
    fn python_quoting_is_undone() {
        assert_eq!(unquote(r"'a\\b'"), r"a\b");
        assert_eq!(unquote(r#""it's""#), "it's");
        assert_eq!(unquote("bare"), "bare");
    }
}
