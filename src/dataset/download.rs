//! Fetches a published file from the first mirror that has it as it was published.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::error::Attempt;
use super::mnist::Published;
use super::{DataProgress, DatasetError};
use crate::clean::hex;

/// What encrypts: the system's own on Windows (Schannel) and macOS (Secure Transport), Rustls elsewhere.
const PROVIDER: TlsProvider = match cfg!(any(windows, target_os = "macos")) {
    true => TlsProvider::NativeTls,
    false => TlsProvider::Rustls,
};

/// For finding and reaching a mirror.
const CONNECT: Duration = Duration::from_secs(15);
/// For its first words.
const ANSWER: Duration = Duration::from_secs(30);
/// A mirror that sends nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// For one file from one mirror: 10 MB at 33 kB/s.
const WHOLE: Duration = Duration::from_secs(300);

/// Fetches `file` into `dir`, where it appears whole or not at all.
pub(super) fn fetch(
    file: &Published,
    dir: &Path,
    mirrors: &[String],
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(DataProgress),
) -> Result<(), DatasetError> {
    fs::create_dir_all(dir).map_err(DatasetError::io("make the folder", dir))?;
    let tls =
        TlsConfig::builder().provider(PROVIDER).root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        // A mirror that compresses on the way would have its answer decompressed on arrival,
        // and the file would no longer be the published one.
        .accept_encoding("identity")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(SILENCE))
        .timeout_global(Some(WHOLE))
        .build()
        .into();
    let mut attempts = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        progress(DataProgress::Downloading { url: url.clone(), bytes: file.bytes });
        match try_fetch(&agent, &url, file, dir, cancel)? {
            Ok(()) => return Ok(()),
            Err(reason) => {
                progress(DataProgress::MirrorFailed { url: url.clone(), reason: reason.clone() });
                attempts.push(Attempt { url, reason });
            }
        }
    }
    let plain = file.name.trim_end_matches(".gz");
    let hint = if dir.join(plain).is_file() {
        format!(" (there is {plain}: joulerace reads it once it is gzipped: gzip -k {plain})")
    } else {
        String::new()
    };
    Err(DatasetError::Download { file: file.name.into(), dir: dir.into(), attempts, hint })
}

/// The outer error ends the download; after the inner one the next mirror is tried.
fn try_fetch(
    agent: &Agent,
    url: &str,
    file: &Published,
    dir: &Path,
    cancel: &CancellationToken,
) -> Result<Result<(), String>, DatasetError> {
    let response = match agent.get(url).call() {
        Ok(response) => response,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut body = response.into_body().into_reader();
    let mut kept = tempfile::NamedTempFile::new_in(dir)
        .map_err(DatasetError::io("write to the folder", dir))?;
    let path = dir.join(file.name);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut done = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(DatasetError::Cancelled { file: file.name.into() });
        }
        let count = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Ok(Err(format!("broke off after {done} bytes: {error}"))),
        };
        done += count as u64;
        if done > file.bytes {
            let bytes = file.bytes;
            return Ok(Err(format!("sends more than the {bytes} bytes of the published file")));
        }
        digest.update(&buffer[..count]);
        kept.write_all(&buffer[..count]).map_err(DatasetError::io("write", &path))?;
    }
    if done < file.bytes {
        return Ok(Err(format!("ends after {done} of {} bytes", file.bytes)));
    }
    let found = hex(&digest.finalize());
    if found != file.sha256 {
        let wanted = file.sha256;
        return Ok(Err(format!("its SHA-256 is {found}, but {wanted} was published")));
    }
    readable_by_all(kept.as_file()).map_err(DatasetError::io("write", &path))?;
    kept.as_file().sync_all().map_err(DatasetError::io("write", &path))?;
    kept.persist(&path).map_err(|error| DatasetError::io("write", &path)(error.error))?;
    Ok(Ok(()))
}

/// A temporary file is its owner's alone; a data folder may be shared.
fn readable_by_all(file: &fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
