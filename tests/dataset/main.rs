//! Data are found, downloaded or made, and never used without having been checked.

mod files;
mod idx;
mod server;

use joulerace::Remedy as _;
use std::fs;
use std::path::Path;

use files::{four, gzip, labels, names, published, write_four};
use joulerace::dataset::{
    Choice, DIGITS_FOLDER, DataProgress, Dataset, DatasetError, DatasetSettings, Name, prepare,
};
use server::{Answer, Server};
use tempfile::TempDir;

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte.gz";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte.gz";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte.gz";

struct Bench {
    cache: TempDir,
    settings: DatasetSettings,
    digits_made: u32,
}

impl Bench {
    fn new(name: Choice, mirrors: &[&Server]) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let settings = DatasetSettings {
            files: published(),
            mirrors: mirrors.iter().map(|server| server.mirror()).collect(),
            ..DatasetSettings::new(name, None, cache.path().into())
        };
        Self { cache, settings, digits_made: 0 }
    }

    fn prepare(&mut self) -> Result<Dataset, DatasetError> {
        let made = &mut self.digits_made;
        let mut make = |folder: &Path| {
            *made += 1;
            write_four(folder);
            Ok(())
        };
        prepare(&self.settings, &mut make, &mut |_| {})
    }

    fn data(&self, folder: &str) -> std::path::PathBuf {
        self.cache.path().join("joulerace/data").join(folder)
    }
}

fn good() -> Server {
    Server::start(four().map(|(name, bytes)| (name, Answer::Whole(bytes))))
}

/// A mirror that is good but for one file.
fn but(name: &'static str, answer: Answer) -> Server {
    let mut answers = four().map(|(name, bytes)| (name, Answer::Whole(bytes)));
    for entry in &mut answers {
        if entry.0 == name {
            entry.1 = answer.clone();
        }
    }
    Server::start(answers)
}

#[test]
fn mnist_is_downloaded_once_and_then_used_from_the_cache() {
    let server = good();
    let mut bench = Bench::new(Choice::Auto, &[&server]);
    let first = bench.prepare().unwrap();
    assert_eq!((first.name, first.train_images, first.test_images), (Name::Mnist, 30, 20));
    assert!(first.files.iter().all(|file| file.published));
    assert_eq!(first.warning, None);
    assert_eq!(names(&first.dir).len(), 4, "only the four files are left there");
    assert_eq!(bench.prepare().unwrap(), first);
    assert_eq!(server.asked().len(), 4);
    assert_eq!(bench.digits_made, 0);
}

#[test]
fn the_second_mirror_serves_what_the_first_one_spoils() {
    let (_, whole) = four()[0].clone();
    let mut other = whole.clone();
    *other.last_mut().unwrap() ^= 1;
    let longer = [whole.clone(), vec![0]].concat();
    let cut = whole[..whole.len() - 9].to_vec();
    for (answer, reason) in [
        (Answer::Whole(other), "SHA-256"),
        (Answer::Whole(longer), "more than"),
        (Answer::Endless, "more than"),
        (Answer::Whole(cut.clone()), "ends after"),
        (Answer::Cut { promised: whole.len(), sent: cut }, "after"),
        (Answer::Moved("/mnist/no-such-file".into()), "404"),
    ] {
        let (bad, good) = (but(TRAIN_IMAGES, answer), good());
        let bench = Bench::new(Choice::Mnist, &[&bad, &good]);
        let mut reasons = Vec::new();
        let dataset =
            prepare(&bench.settings, &mut |_| Err("not asked for".into()), &mut |event| {
                if let DataProgress::MirrorFailed { reason, .. } = event {
                    reasons.push(reason);
                }
            })
            .unwrap();
        assert!(dataset.files.iter().all(|file| file.published));
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(reason), "{reason}: {reasons:?}");
        assert_eq!(good.asked(), [TRAIN_IMAGES]);
        assert_eq!(names(&dataset.dir).len(), 4, "nothing half-written is left");
    }
}

#[test]
fn without_a_good_mirror_mnist_is_an_error_that_names_each_answer() {
    let (empty, wrong) = (Server::start([]), but(TRAIN_IMAGES, Answer::Whole(vec![1; 3])));
    let mut bench = Bench::new(Choice::Mnist, &[&empty, &wrong]);
    let error = bench.prepare().unwrap_err();
    assert!(matches!(error, DatasetError::Download { .. }), "{error}");
    let text = error.in_line();
    assert!(text.contains(&format!("{}{TRAIN_IMAGES}: ", empty.mirror())), "{text}");
    assert!(text.contains("404") && text.contains("ends after 3 of"), "{text}");
    assert!(text.contains("--data-dir") && text.contains("--dataset digits"), "{text}");
    assert!(!bench.data("mnist").exists(), "a folder that stayed empty is not left behind");
}

#[test]
fn auto_takes_digits_where_mnist_cannot_be_had_and_says_so() {
    let empty = Server::start([]);
    let mut bench = Bench::new(Choice::Auto, &[&empty]);
    let dataset = bench.prepare().unwrap();
    assert_eq!(dataset.name, Name::Digits);
    assert!(dataset.files.iter().all(|file| file.sha256.len() == 64));
    let warning = dataset.warning.unwrap();
    assert!(warning.contains("MNIST") && warning.contains("404"), "{warning}");
}

#[test]
fn digits_are_made_once_and_made_anew_when_damaged() {
    let mut bench = Bench::new(Choice::Digits, &[]);
    let first = bench.prepare().unwrap();
    assert_eq!(first.dir, bench.data(DIGITS_FOLDER));
    assert_eq!(bench.prepare().unwrap(), first);
    assert_eq!(bench.digits_made, 1);
    fs::write(first.dir.join(TRAIN_LABELS), gzip(&labels(29), 6)).unwrap();
    assert_eq!(bench.prepare().unwrap(), first);
    assert_eq!(bench.digits_made, 2);
    assert_eq!(names(&bench.data("")), [DIGITS_FOLDER]);
}

#[test]
fn digits_that_fail_or_come_out_wrong_leave_nothing() {
    let bench = Bench::new(Choice::Digits, &[]);
    let mut failing = |_: &Path| Err("no module named sklearn".to_owned());
    let mut wrong = |folder: &Path| {
        write_four(folder);
        fs::write(folder.join(TEST_LABELS), b"").map_err(|error| error.to_string())
    };
    type Make<'a> = &'a mut dyn FnMut(&Path) -> Result<(), String>;
    let makers: [(Make, &str); 2] = [(&mut failing, "sklearn"), (&mut wrong, TEST_LABELS)];
    for (make, reason) in makers {
        let error = prepare(&bench.settings, make, &mut |_| {}).unwrap_err();
        assert!(matches!(error, DatasetError::Digits { .. }), "{error}");
        assert!(error.in_line().contains(reason), "{error}");
        assert_eq!(names(&bench.data("")), Vec::<String>::new());
    }
}

#[test]
fn files_that_are_there_stay_and_the_missing_ones_are_fetched_beside_them() {
    let server = good();
    let mut bench = Bench::new(Choice::Mnist, &[&server]);
    let folder = bench.cache.path().join("mine");
    write_four(&folder);
    fs::remove_file(folder.join(TEST_LABELS)).unwrap();
    let own = gzip(&labels(30), 1); // Other bytes, equal content.
    fs::write(folder.join(TRAIN_LABELS), &own).unwrap();
    bench.settings.data_dir = Some(folder.clone());
    let dataset = bench.prepare().unwrap();
    assert_eq!(server.asked(), [TEST_LABELS]);
    assert_eq!(fs::read(folder.join(TRAIN_LABELS)).unwrap(), own);
    assert!(dataset.files.iter().all(|file| file.published), "the content is the published one");
}

#[test]
fn own_files_with_other_content_are_used_with_a_warning_that_names_them() {
    let mut bench = Bench::new(Choice::Auto, &[]);
    let folder = bench.cache.path().join("mine");
    write_four(&folder);
    let mut other = labels(30);
    *other.last_mut().unwrap() = 0;
    fs::write(folder.join(TRAIN_LABELS), gzip(&other, 6)).unwrap();
    bench.settings.data_dir = Some(folder);
    let dataset = bench.prepare().unwrap();
    assert_eq!(dataset.name, Name::Mnist);
    let published: Vec<bool> = dataset.files.iter().map(|file| file.published).collect();
    assert_eq!(published, [true, false, true, true]);
    let warning = dataset.warning.unwrap();
    assert!(warning.contains(TRAIN_LABELS) && !warning.contains(TRAIN_IMAGES), "{warning}");
}

#[test]
fn own_files_that_are_damaged_are_an_error_even_where_digits_could_be_made() {
    let (_, whole) = four()[1].clone();
    let mut checksum = whole.clone();
    let at = checksum.len() - 8; // gzip ends with CRC-32 and length, four bytes each.
    checksum[at] ^= 1;
    let mut label = labels(30);
    label[8 + 17] = 10;
    for (bytes, words) in [
        (whole[..whole.len() / 2].to_vec(), "cut short"),
        (checksum, "damaged"),
        ([whole.clone(), vec![0]].concat(), "follows its gzip stream"),
        (gzip(&files::images(30), 6), "begins with"),
        (gzip(&label, 6), "label 17 is 10"),
        (gzip(&labels(30)[..20], 6), "cut short"),
        (gzip(&[labels(30), vec![1]].concat(), 6), "goes on"),
        (gzip(&labels(0), 6), "0 items"),
        (labels(30), "not gzipped"),
        (Vec::new(), "header"),
        (gzip(&labels(29), 6), "30 images, but"),
    ] {
        let mut bench = Bench::new(Choice::Auto, &[]);
        let folder = bench.cache.path().join("mine");
        write_four(&folder);
        fs::write(folder.join(TRAIN_LABELS), bytes).unwrap();
        bench.settings.data_dir = Some(folder);
        let text = bench.prepare().unwrap_err().in_line();
        assert!(text.contains(words), "{words}: {text}");
        assert!(text.contains(TRAIN_LABELS) && text.contains("--data-dir"), "{text}");
        assert_eq!(bench.digits_made, 0);
    }
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let server = good();
    let mut bench = Bench::new(Choice::Mnist, &[&server]);
    let first = bench.prepare().unwrap();
    fs::write(first.dir.join(TRAIN_LABELS), b"half a download").unwrap();
    assert_eq!(bench.prepare().unwrap(), first);
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn plain_files_get_the_advice_to_gzip_them() {
    let mut bench = Bench::new(Choice::Mnist, &[]);
    let folder = bench.cache.path().join("mine");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("train-images-idx3-ubyte"), files::images(30)).unwrap();
    bench.settings.data_dir = Some(folder);
    let text = bench.prepare().unwrap_err().in_line();
    assert!(text.contains("gzip -k train-images-idx3-ubyte"), "{text}");
}

#[test]
fn a_download_stops_when_it_is_told_to_and_keeps_nothing() {
    let server = good();
    let mut bench = Bench::new(Choice::Auto, &[&server]);
    bench.settings.cancel.cancel();
    let error = bench.prepare().unwrap_err();
    assert!(matches!(error, DatasetError::Cancelled { .. }), "{error}");
    assert!(!bench.data("mnist").exists());
}

#[test]
fn the_real_files_are_recognised_where_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/mnist");
    if !folder.is_dir() {
        return; // Only some machines have them.
    }
    let cache = tempfile::tempdir().unwrap();
    let mut settings = DatasetSettings::new(Choice::Mnist, Some(folder), cache.path().into());
    settings.mirrors.clear();
    let dataset = prepare(&settings, &mut |_| Err("not asked for".into()), &mut |_| {}).unwrap();
    assert_eq!((dataset.train_images, dataset.test_images), (60_000, 10_000));
    let published: Vec<bool> = dataset.files.iter().map(|file| file.published).collect();
    assert_eq!(published[1..], [true, true, true]);
    assert_eq!(dataset.warning.is_some(), !published[0]);
}
