//! An experiment is packed, and its archive gives the same numbers again, on anybody's machine and from
//! anybody's hands.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, names, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Output;
use zip::write::SimpleFileOptions;

/// An analysed experiment of two scripts in three blocks, and its archive.
fn packed() -> (Scratch, PathBuf) {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.15}"), ("b", "{'seconds': 0.1}")]);
    let output = scratch.experiment("a,b", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut analyse = scratch.program();
    analyse.arg("analyze").arg(scratch.results());
    let output =
        analyse.args(["--carbon-intensity", "NL", "--title", "Two naps"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    std::fs::create_dir(scratch.results().join("locks")).unwrap();
    std::fs::write(scratch.results().join(LOCK), lock("1.2")).unwrap();
    let archive = scratch.at("one.zip");
    let output = pack(&scratch, &archive);
    assert!(output.status.success(), "{}", text(&output));
    (scratch, archive)
}

/// Where the lock of a version lies in an experiment's folder.
const LOCK: &str = "locks/a@1.2.txt";

/// As uv would have locked a package `a` here.
fn lock(version: &str) -> String {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    format!(
        "# joulerace lock 1\n# asked: a=={version}\n# python: 3.11\n# platform: {system}-{processor}\n\
         # as of: now\n# wheels: a=100\na=={version} \\\n    --hash=sha256:{}\n",
        "0a".repeat(32)
    )
}

fn pack(scratch: &Scratch, archive: &Path) -> Output {
    let mut pack = scratch.program();
    pack.arg("pack").arg(scratch.results()).arg("--output").arg(archive);
    pack.args(["--author", "Ada Lovelace", "--license", "CC-BY-4.0"]).output().unwrap()
}

fn replay(scratch: &Scratch, archive: &Path) -> Output {
    scratch.program().arg("replay").arg(archive).env("COLUMNS", "100").output().unwrap()
}

fn refused(output: &Output, status: i32, words: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
}

fn contents(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap();
    let read = |n| {
        let mut entry = zip.by_index(n).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.name().unwrap().into_owned(), content)
    };
    let count = zip::ZipArchive::new(std::fs::File::open(archive).unwrap()).unwrap().len();
    (0..count).map(read).collect()
}

/// An archive of these files.
fn archive_of(path: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, content) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

/// One experiment for all: making and analysing it takes most of the time.
#[test]
fn an_experiment_goes_into_an_archive_and_comes_out_the_same() {
    let (scratch, archive) = packed();
    same_bytes(&scratch, &archive);
    described(&archive);
    planned(&scratch, &archive);
    locks_taken_over(&scratch, &archive);
    damaged(&scratch, &archive);
    hostile(&scratch, &archive);
    forged(&scratch, &archive);
    private(&scratch);
    // Elsewhere, and without the folder that it came from.
    std::fs::rename(scratch.results(), scratch.at("gone")).unwrap();
    let output = replay(&scratch, &archive);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for word in ["the same  trials.csv (6 rows)", "summary.json", "Every number is the same"] {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
}

fn same_bytes(scratch: &Scratch, archive: &Path) {
    let twin = scratch.at("two.zip");
    assert!(pack(scratch, &twin).status.success());
    assert_eq!(std::fs::read(archive).unwrap(), std::fs::read(&twin).unwrap());
    refused(&pack(scratch, &twin), 6, &["two.zip is there already", "--output"]);
    let files = contents(archive);
    for path in [
        "results/a/a_0.csv",
        "results/b/b_2.json",
        "results/experiment.json",
        "results/journal.jsonl",
        "results/locks/a@1.2.txt",
        "results/analysis/report.html",
        "locks/poetry.lock",
        "locks/pyproject.toml",
        "scripts.sha256",
        "CITATION.cff",
        "SHA256SUMS",
    ] {
        assert!(files.contains_key(path), "{path} is not in {:?}", files.keys());
    }
    assert!(!files.keys().any(|name| name.ends_with(".log")), "{:?}", files.keys());
    assert_eq!(
        files["results/a/a_0.csv"],
        std::fs::read(scratch.results().join("a/a_0.csv")).unwrap()
    );
}

/// The description names every file once, and what it refers to.
fn described(archive: &Path) {
    let files = contents(archive);
    let crate_: Value = serde_json::from_slice(&files["ro-crate-metadata.json"]).unwrap();
    let graph = crate_["@graph"].as_array().unwrap();
    let entity = |id: &str| {
        let found: Vec<&Value> = graph.iter().filter(|entity| entity["@id"] == id).collect();
        assert_eq!(found.len(), 1, "{id}");
        found[0]
    };
    let root = entity("./");
    let mut parts: Vec<&str> =
        root["hasPart"].as_array().unwrap().iter().map(|p| p["@id"].as_str().unwrap()).collect();
    parts.sort_unstable();
    let mut there: Vec<&str> =
        files.keys().map(String::as_str).filter(|name| *name != "ro-crate-metadata.json").collect();
    there.sort_unstable();
    assert_eq!(parts, there);
    for part in parts {
        assert_eq!(entity(part)["contentSize"], files[part].len().to_string());
    }
    assert_eq!(entity("#author-1")["name"], "Ada Lovelace");
    assert_eq!(root["license"]["@id"], "https://spdx.org/licenses/CC-BY-4.0");
    assert_eq!(entity("#analysis")["instrument"]["@id"], "#joulerace");
    entity("https://w3id.org/ro/wfrun/process/0.5");
}

/// No home folder and no secret leaves the machine.
fn private(scratch: &Scratch) {
    let path = scratch.results().join("a/a_1.json");
    let mut record = scratch.json("a/a_1.json");
    let token = format!("ghp_{}", "x9".repeat(18));
    record["result"]["note"] = format!("read /home/ada/data with {token}").into();
    std::fs::write(&path, record.to_string()).unwrap();
    let archive = scratch.at("clean.zip");
    let output = pack(scratch, &archive);
    refused(&output, 0, &["struck out:", "1 passages that look like secrets", "a/a_1.json"]);
    for (name, content) in contents(&archive) {
        let content = String::from_utf8_lossy(&content);
        assert!(!content.contains(&token) && !content.contains("/home/ada"), "{name}");
    }
}

/// A number that was changed is named.
fn forged(scratch: &Scratch, archive: &Path) {
    let mut files = contents(archive);
    let table = String::from_utf8(files["results/analysis/groups.csv"].clone()).unwrap();
    let mean: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    let other = table.replacen(mean[3], "12345.5", 1);
    files.insert("results/analysis/groups.csv".to_owned(), other.into_bytes());
    let samples = String::from_utf8(files["results/a/a_0.csv"].clone()).unwrap();
    let fewer: Vec<&str> = samples.lines().take(samples.lines().count() - 2).collect();
    files.insert("results/a/a_0.csv".to_owned(), (fewer.join("\n") + "\n").into_bytes());
    let forged = scratch.at("forged.zip");
    archive_of(&forged, &files);
    let words = [
        "groups.csv was altered",
        "a_0.csv was altered",
        "was 12345.5",
        "differs   trials.csv",
        "of 4 tables differ",
    ];
    refused(&replay(scratch, &forged), 13, &words);
}

/// The lock of a version goes from the archive to the reader, who asks for it, and nothing else does.
fn locks_taken_over(scratch: &Scratch, archive: &Path) {
    let cache = scratch.at("cache");
    let take = |from: &Path, more: &[&str]| {
        let mut take = scratch.program();
        take.args(["env", "lock", "--from"]).arg(from).args(more);
        take.env("JOULERACE_CACHE_DIR", &cache).output().unwrap()
    };
    let plan = || {
        let mut plan = scratch.program();
        plan.arg("replay").arg(archive).arg("--plan").env("JOULERACE_CACHE_DIR", &cache);
        plan.env("JOULERACE_HOME", scratch.at("home")); // of `planned`
        text(&plan.env("COLUMNS", "100").current_dir(scratch.at(".")).output().unwrap())
    };
    let said = plan();
    assert!(
        said.contains("a@1.2 is installed as it was there after: joulerace env lock"),
        "{said}"
    );
    let output = take(archive, &[]);
    assert!(output.status.success(), "{}", text(&output));
    let own = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert_eq!(std::fs::read_to_string(&own).unwrap(), lock("1.2"));
    assert!(own.starts_with(&cache), "{}", own.display());
    let said = plan();
    assert!(said.contains("a@1.2 is locked here as it was there"), "{said}");

    std::fs::write(&own, lock("1.2").replace("0a", "0b")).unwrap();
    assert!(plan().contains("a@1.2 has another lock here"));
    refused(&take(archive, &[]), 2, &["another lock of a@1.2 is used here", "--anew"]);
    assert!(take(archive, &["--anew"]).status.success());
    assert_eq!(std::fs::read_to_string(&own).unwrap(), lock("1.2"));

    // Of a stranger: another index, and a place outside the cache.
    let theirs = scratch.at("theirs");
    std::fs::create_dir_all(theirs.join("locks")).unwrap();
    refused(&take(&theirs, &[]), 6, &["no locks of versions"]);
    for (name, text, word) in [
        ("a@1.3.txt", lock("1.3") + "--index-url=http://x/?a==1\n", "not a package at a version"),
        ("a@1.3.txt", lock("1.3").replace("3.11", "../3.11"), "its python"),
        (
            "a@1.3.txt",
            lock("1.3").replace("# as of: now", "# \r--index-url x"),
            "control character",
        ),
        (" a@1.3.txt", lock("1.3"), "not a framework at a version"),
    ] {
        let path = theirs.join("locks").join(name);
        std::fs::write(&path, text).unwrap();
        refused(&take(&theirs, &[]), 3, &[word]);
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(names(own.parent().unwrap()).len(), 1);
}

/// A download that broke off, and a byte that changed on the way.
fn damaged(scratch: &Scratch, archive: &Path) {
    let whole = std::fs::read(archive).unwrap();
    let damaged = scratch.at("damaged.zip");
    std::fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
    refused(&replay(scratch, &damaged), 6, &["damaged.zip cannot be used", "copy it again"]);
    let mut other = whole.clone();
    let middle = other.len() / 2;
    other[middle..middle + 4].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&damaged, other).unwrap();
    refused(&replay(scratch, &damaged), 6, &["damaged.zip cannot be used", "copy it again"]);
}

/// What no archive of ours holds is refused, and nothing is written.
fn hostile(scratch: &Scratch, archive: &Path) {
    let good = contents(archive);
    let hostile = scratch.at("hostile.zip");
    let before = names(&scratch.at("."));
    for name in
        ["../outside", "/tmp/outside", "results/../../outside", "results/.hidden", "a\\b", "c:x"]
    {
        let mut files = good.clone();
        files.insert(name.to_owned(), b"theirs".to_vec());
        archive_of(&hostile, &files);
        refused(
            &replay(scratch, &hostile),
            6,
            &["hostile.zip cannot be used", "not a path within"],
        );
        std::fs::remove_file(&hostile).unwrap();
        assert_eq!(names(&scratch.at(".")), before, "{name}");
    }
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&hostile).unwrap());
    zip.add_symlink("results", "/etc", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    refused(&replay(scratch, &hostile), 6, &["a link or a device"]);
    let mut files = good.clone();
    files.insert("RESULTS/experiment.json".to_owned(), Vec::new());
    archive_of(&hostile, &files);
    refused(&replay(scratch, &hostile), 6, &["twice"]);
    std::fs::write(&hostile, "no archive").unwrap();
    refused(&replay(scratch, &hostile), 6, &["not a whole ZIP archive"]);
    let mut files = good;
    files.remove("SHA256SUMS");
    archive_of(&hostile, &files);
    refused(&replay(scratch, &hostile), 6, &["joulerace pack did not make it"]);
}

/// The same experiment is planned in the same order.
fn planned(scratch: &Scratch, archive: &Path) {
    let home = scratch.at("home");
    std::fs::create_dir_all(home.join("python")).unwrap();
    std::fs::create_dir_all(home.join("python/workloads/cnn")).unwrap();
    for name in names(&scratch.at("workloads")).into_iter().filter(|name| name.ends_with(".py")) {
        let to = home.join("python/workloads/cnn").join(&name);
        std::fs::copy(scratch.at("workloads").join(&name), to).unwrap();
    }
    for name in ["pyproject.toml", "poetry.lock"] {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), home.join(name)).unwrap();
    }
    let mut plan = scratch.program();
    plan.arg("replay").arg(archive).arg("--plan").env("JOULERACE_HOME", &home);
    let output = plan.env("COLUMNS", "100").current_dir(scratch.at(".")).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("joulerace --treatments a,b"), "{said}");
    assert!(first.ends_with("--order-seed 1") && !first.contains("--output"), "{said}");
    for word in ["the archive's, trial by trial", "3 blocks of a, b", "--data-dir, --output"] {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
}

#[test]
fn a_folder_without_a_report_is_told_how_to_get_one() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.1}")]);
    let output = scratch.experiment("a", &["--iterations", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    refused(&pack(&scratch, &scratch.at("x.zip")), 6, &["no report", "joulerace analyze"]);
    assert!(!scratch.at("x.zip").exists());
}
