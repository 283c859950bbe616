//! What this machine is called, and how it is recognised.

use crate::clean;
use sha2::{Digest, Sha256};

/// What this machine is called: `JOULERACE_MACHINE`, else its name in the network.
pub(crate) fn name() -> String {
    let named = std::env::var("JOULERACE_MACHINE").ok().filter(|name| !name.trim().is_empty());
    plain(&named.or_else(host_name).unwrap_or_else(|| "machine".to_owned()))
}

/// By the kernel, else by the variables that shells of other systems set.
fn host_name() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let shells = || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    kernel.or_else(shells).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A word that stands in tables and file names; `#` is left for numbers of our own.
fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' };
    clean::cut(&name.trim().chars().map(letter).collect::<String>(), 64)
}

/// A number for this machine that does not reveal the system's own one (machine-id(5) asks for that).
pub(crate) fn id() -> Option<String> {
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    let digest = Sha256::digest(format!("joulerace {}", id.trim()).as_bytes());
    (!id.trim().is_empty()).then(|| clean::hex(&digest[..4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        assert_eq!(plain(" node 7/a#2\n"), "node_7_a_2");
    }
}
