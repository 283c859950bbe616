//! The IDX reader takes what is whole and refuses the rest, whatever bytes it is given.

use std::io::Read;

use joulerace::dataset::idx::{Content, IdxError, MOST_ITEMS, check};
use proptest::prelude::*;

use crate::files::{gzip, images, labels};

fn read(bytes: &[u8], content: Content) -> Result<u32, IdxError> {
    check(bytes, content, &mut |_| {})
}

#[test]
fn whole_files_are_read_gzipped_and_plain_and_their_bytes_are_shown() {
    for (plain, content) in [(images(7), Content::Images), (labels(7), Content::Labels)] {
        for stored in [plain.clone(), gzip(&plain, 9)] {
            let mut seen = Vec::new();
            let items = check(&*stored, content, &mut |bytes| seen.extend(bytes)).unwrap();
            assert_eq!((items, seen), (7, plain.clone()));
        }
    }
}

#[test]
fn images_of_another_size_and_impossible_counts_are_refused() {
    let mut other = images(2);
    other[11] = 32;
    assert!(matches!(read(&other, Content::Images), Err(IdxError::Size { rows: 32, columns: 28 })));
    let mut many = labels(1);
    many[4..8].copy_from_slice(&(MOST_ITEMS + 1).to_be_bytes());
    assert!(
        matches!(read(&many, Content::Labels), Err(IdxError::Count(count)) if count > MOST_ITEMS)
    );
}

#[test]
fn a_stream_that_never_ends_is_given_up_after_what_the_header_promises() {
    // 64 TiB of zeros behind a header of ten images: only a reader that stops can pass.
    let header = &images(10)[..16];
    let mut taken = 0_u64;
    let source = header.chain(std::io::repeat(0).take(1 << 46));
    let error = check(source, Content::Images, &mut |bytes| taken += bytes.len() as u64);
    assert!(matches!(error, Err(IdxError::Long(7840))));
    assert!(taken <= 16 + 7840, "{taken} bytes were passed on");
}

#[test]
fn any_flipped_bit_in_a_gzip_stream_is_noticed() {
    let whole = gzip(&labels(1000), 6);
    // The ten bytes before are gzip's header, whose time and system do not matter.
    for at in 10..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(read(&bytes, Content::Labels).is_err(), "bit {bit} of byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for content in [Content::Images, Content::Labels] {
            let _ = read(&bytes, content);
            let _ = read(&gzip(&bytes, 1), content);
            let header = [&content.magic()[..], &bytes].concat();
            let _ = read(&header, content);
        }
    }

    #[test]
    fn a_file_is_taken_only_whole(count in 1_u32..5, cut in 1_usize..100) {
        for (plain, content) in [(images(count), Content::Images), (labels(count), Content::Labels)] {
            prop_assert_eq!(read(&plain, content).unwrap(), count);
            let zipped = gzip(&plain, 6);
            for whole in [plain, zipped] {
                let left = whole.len().saturating_sub(cut);
                prop_assert!(read(&whole[..left], content).is_err());
            }
        }
    }
}
