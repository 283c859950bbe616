//! joulerace's own environment: made on first use, in one go, by one host at a time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use joulerace::env::{EnvProgress, Profile, Source, Step};

use crate::bench::{Bench, LOCKED, install};

#[test]
fn it_is_made_on_first_use_and_reused_without_starting_an_installer() {
    let bench = Bench::new();
    let (first, events) = bench.resolve_told();
    let first = first.unwrap();
    assert_eq!((first.source, first.locked, &*first.version), (Source::Own, true, "3.11.9"));
    let name = first.prefix.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("analysis-py3.11-") && name.len() == 28, "{name}");
    let steps: Vec<Step> = events
        .iter()
        .filter_map(|event| if let EnvProgress::Step { step } = event { Some(*step) } else { None })
        .collect();
    assert_eq!(steps, [Step::Tools, Step::Export, Step::Create, Step::Install, Step::Check]);
    assert!(events.iter().any(|event| matches!(event, EnvProgress::Making { packages: 2, .. })));
    let second = bench.resolve().unwrap();
    assert_eq!((second.prefix, second.packages), (first.prefix, first.packages));
    for (program, words) in [("uv", "requirements.txt"), ("uv", "tools.txt"), ("poetry", "")] {
        assert_eq!(bench.calls(program, words).len(), 1, "{program} {words}");
    }
}

#[test]
fn hashes_are_demanded_and_the_profile_decides_the_groups() {
    let mut bench = Bench::new();
    for profile in Profile::ALL {
        bench.settings.profile = profile;
        bench.resolve().unwrap();
    }
    for words in ["tools.txt", "requirements.txt"] {
        assert!(!bench.calls("uv", words).is_empty());
        assert!(bench.calls("uv", words).iter().all(|call| call.contains("--require-hashes")));
    }
    assert!(bench.calls("python", "-m pip install")[0].contains("--require-hashes"));
    assert_eq!(bench.calls("poetry", "--with training,dev").len(), 1);
    assert_eq!(bench.calls("poetry", "--with analysis,dev").len(), 1);
    assert_eq!(bench.calls("uv", "tools.txt").len(), 1, "both profiles share the installers");
}

#[test]
fn another_lock_or_another_python_gets_another_environment() {
    let bench = Bench::new();
    let mut prefixes = BTreeSet::from([bench.resolve().unwrap().prefix]);
    bench.lock(&[("numpy", "2.0.3"), LOCKED[1]]);
    prefixes.insert(bench.resolve().unwrap().prefix);
    bench.answer("3.11.10", "[]");
    prefixes.insert(bench.resolve().unwrap().prefix);
    assert_eq!(prefixes.len(), 3);
}

#[test]
fn the_project_is_not_written_to() {
    let bench = Bench::new();
    let project = &bench.settings.project;
    fs::set_permissions(project, fs::Permissions::from_mode(0o555)).unwrap();
    let listing = || {
        let entries = fs::read_dir(project).unwrap().map(|entry| entry.unwrap());
        let mut entries: Vec<_> = entries
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        entries.sort();
        entries
    };
    let before = listing();
    bench.resolve().unwrap();
    assert_eq!(listing(), before);
    fs::set_permissions(project, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_half_made_folder_is_removed_and_made_anew() {
    let bench = Bench::new();
    let prefix = bench.resolve().unwrap().prefix;
    // What a killed host leaves: everything but the record that is written last.
    fs::remove_file(prefix.join("joulerace.json")).unwrap();
    fs::write(prefix.join("stale"), "").unwrap();
    let (again, events) = bench.resolve_told();
    assert_eq!(again.unwrap().prefix, prefix);
    assert!(events.contains(&EnvProgress::Removed { prefix: prefix.clone() }));
    assert!(!prefix.join("stale").exists());
    assert_eq!(bench.calls("uv", "requirements.txt").len(), 2);
}

#[test]
fn one_that_somebody_changed_is_made_anew() {
    let bench = Bench::new();
    let prefix = bench.resolve().unwrap().prefix;
    let site = prefix.join("lib/python3.11/site-packages");
    fs::remove_dir_all(site.join("numpy-2.0.2.dist-info")).unwrap();
    install(&site, "numpy", "2.1.0");
    let environment = bench.resolve().unwrap();
    assert_eq!(environment.packages["numpy"], "2.0.2");
    assert_eq!(bench.calls("uv", "requirements.txt").len(), 2);
}

#[test]
fn hosts_that_come_together_make_it_once_and_all_use_it() {
    let bench = Bench::new();
    bench.mode("slow");
    let results: Vec<_> = thread::scope(|scope| {
        let hosts: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.resolve_told())).collect();
        hosts.into_iter().map(|host| host.join().unwrap()).collect()
    });
    let waited = results.iter().filter(|(_, events)| {
        events.iter().any(|event| matches!(event, EnvProgress::Waiting { .. }))
    });
    assert!(waited.count() >= 1, "somebody is told why nothing happens");
    let prefixes: BTreeSet<_> =
        results.into_iter().map(|(result, _)| result.unwrap().prefix).collect();
    assert_eq!(prefixes.len(), 1);
    assert_eq!(bench.calls("uv", "requirements.txt").len(), 1);
}

/// Its maker goes on to use it, and nobody gets the lock to make it meanwhile.
#[test]
fn one_that_is_made_while_another_waits_to_make_it_is_used_beside_its_maker() {
    let bench = Bench::new();
    let maker = bench.resolve().unwrap();
    // As if it were not whole yet when the other looked first.
    let (stamp, aside) = (maker.prefix.join("joulerace.json"), bench.at("stamp"));
    fs::rename(&stamp, &aside).unwrap();
    let (sender, ended) = mpsc::channel();
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let _ = sender.send(bench.resolve_told());
        });
        thread::sleep(Duration::from_millis(500));
        fs::rename(&aside, &stamp).unwrap();
        let found = ended.recv_timeout(Duration::from_secs(60));
        bench.settings.cancel.cancel();
        found
    });
    let (other, events) = found.expect("it does not wait for its maker to end");
    assert_eq!(other.unwrap().prefix, maker.prefix);
    let waiting = |event: &&EnvProgress| matches!(event, EnvProgress::Waiting { .. });
    assert_eq!(events.iter().filter(waiting).count(), 1, "{events:?}");
    assert_eq!(bench.calls("uv", "requirements.txt").len(), 1);
}

#[test]
fn uv_learns_pips_index() {
    let bench = Bench::new();
    let pip = "global.index-url='http://mirror.invalid/simple'\nglobal.cert='/some/ca.pem'\n";
    fs::write(bench.at("state/pip"), pip).unwrap();
    bench.resolve().unwrap();
    let seen = fs::read_to_string(bench.at("state/uv-environment")).unwrap();
    // What this machine tells uv itself stands above pip's settings.
    let told = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    if !told("UV_DEFAULT_INDEX") && !told("UV_INDEX_URL") {
        assert!(seen.contains("UV_DEFAULT_INDEX=http://mirror.invalid/simple\n"), "{seen}");
    }
    if !told("SSL_CERT_FILE") {
        assert!(seen.contains("SSL_CERT_FILE=/some/ca.pem\n"), "{seen}");
    }
}
