use super::*;
use crate::plan::Outcome;
use crate::store::record::Status;
use proptest::prelude::*;

fn started(trial: &str) -> EntryKind {
    EntryKind::TrialStarted { trial: trial.to_owned(), attempt: 1 }
}

fn ended(trial: &str, status: Status, retry: bool) -> EntryKind {
    EntryKind::TrialEnded {
        trial: trial.to_owned(),
        attempt: 1,
        status,
        reason: None,
        retry,
        unmeasured: false,
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let events = [started("a_0"), ended("a_0", Status::Ok, false), EntryKind::Finished];
    let (mut journal, _) = Journal::open(&path).unwrap();
    for event in &events {
        journal.write(event.clone()).unwrap();
    }
    let read = read(&path).unwrap();
    let got: Vec<EntryKind> = read.entries.into_iter().map(|e| e.event).collect();
    assert_eq!(got, events);
}

#[test]
fn a_torn_last_line_is_set_aside_and_writing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (mut journal, _) = Journal::open(&path).unwrap();
    journal.write(started("a_0")).unwrap();
    drop(journal);
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(b"{\"at\":\"2025-01-01T0").unwrap();

    let (mut journal, found) = Journal::open(&path).unwrap();
    assert!(found.torn.is_some());
    journal.write(ended("a_0", Status::Ok, false)).unwrap();
    let again = read(&path).unwrap();
    assert_eq!(again.entries.len(), 2);
    assert!(again.torn.is_none());
    let kept = std::fs::read_to_string(folder.path().join("journal.jsonl.torn")).unwrap();
    assert!(kept.starts_with("{\"at\":\"2025"));
}

#[test]
fn nothing_is_written_to_a_journal_that_has_gone_and_all_to_one_that_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (home, away) = (folder.path().join("home"), folder.path().join("away"));
    std::fs::create_dir(&home).unwrap();
    let path = home.join("journal.jsonl");
    let (mut journal, _) = Journal::open(&path).unwrap();
    std::fs::rename(&home, &away).unwrap();
    assert!(journal.write(started("a_0")).is_err(), "the folder has gone");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(&path, "").unwrap();
    let error = journal.write(started("a_0")).unwrap_err().to_string();
    assert!(error.contains("another file"), "{error}");
    std::fs::remove_dir_all(&home).unwrap();
    std::fs::rename(&away, &home).unwrap();
    journal.write(started("a_0")).unwrap();
    assert_eq!(read(&path).unwrap().entries.len(), 1);
}

#[test]
fn a_second_writer_is_noticed_and_no_line_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (mut one, _) = Journal::open(&path).unwrap();
    let (mut two, _) = Journal::open(&path).unwrap();
    one.write(started("a_0")).unwrap();
    let error = two.write(started("b_0")).unwrap_err().to_string();
    assert!(error.contains("another program has written"), "{error}");
    one.write(EntryKind::Finished).unwrap();
    assert_eq!(read(&path).unwrap().entries.len(), 2);
}

#[test]
fn however_long_a_reason_is_its_line_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (mut journal, _) = Journal::open(&path).unwrap();
    // Each byte of the worst takes six in JSON.
    let reason = "\u{1}ä".repeat(3 << 20);
    let event = EntryKind::TrialEnded {
        trial: "a_0".to_owned(),
        attempt: 1,
        status: Status::Failed,
        reason: Some(reason.clone()),
        retry: false,
        unmeasured: false,
    };
    journal.write(event).unwrap();
    let accepted = vec![reason; 200];
    journal.write(EntryKind::Started { schema: 1, version: "0".to_owned(), accepted }).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 4 << 20);
    assert_eq!(read(&path).unwrap().entries.len(), 2);
}

#[test]
fn a_trial_that_could_not_be_measured_is_not_settled_and_one_that_failed_only_when_asked() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let unmeasured = EntryKind::TrialEnded {
        trial: "a_0".to_owned(),
        attempt: 1,
        status: Status::Failed,
        reason: None,
        retry: false,
        unmeasured: true,
    };
    let events = [unmeasured, ended("b_0", Status::Failed, false), ended("c_0", Status::Ok, false)];
    let read = Read {
        entries: events.into_iter().map(|event| Entry { at, event }).collect(),
        ..Read::default()
    };
    let done = |again| {
        let done = read.outcomes_with(again).into_iter();
        done.filter(|(_, o)| *o == Outcome::Done).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(done(Again::Unmeasured), ["b_0", "c_0"]);
    assert_eq!(done(Again::Failed), ["c_0"]);
    assert_eq!(read.attempts().get("a_0").map_or(0, |a| a.failed), 0);
}

#[test]
fn a_foreign_line_in_the_middle_is_named_by_its_number() {
    let text = "{\"at\":\"2025-01-01T00:00:00Z\",\"event\":\"finished\"}\nhello\n";
    assert_eq!(read_from(text.as_bytes()).unwrap_err().0, 2);
}

#[test]
fn an_attempt_without_an_end_is_unfinished() {
    let at = jiff::Timestamp::now();
    let events = [started("a_0"), ended("a_0", Status::Failed, true), started("a_0")];
    let read = Read {
        entries: events.into_iter().map(|event| Entry { at, event }).collect(),
        ..Read::default()
    };
    assert_eq!(read.unfinished(), [("a_0".to_owned(), 1)]);
    assert_eq!(read.attempts()["a_0"], Attempts { begun: 2, failed: 1 });
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = read_from(&bytes[..]);
    }

    /// Cutting a good journal anywhere loses at most the line that was cut.
    #[test]
    fn a_cut_journal_keeps_its_whole_lines(n in 1usize..6, cut in 0usize..400) {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let lines: Vec<String> = (0..n)
            .map(|i| serde_json::to_string(&Entry { at, event: started(&format!("a_{i}")) }).unwrap() + "\n")
            .collect();
        let text = lines.concat();
        let cut = cut.min(text.len());
        let whole = text[..cut].matches('\n').count();
        prop_assert_eq!(read_from(&text.as_bytes()[..cut]).unwrap().entries.len(), whole);
    }
}
