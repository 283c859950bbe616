//! IDX files, gzipped and plain: no panic, no memory beyond the buffers, and no more passed on
//! than the header promises.
#![no_main]

use joulerace::dataset::idx::{Content, SIDE, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let image = SIDE as usize * SIDE as usize;
    for (content, header, item) in [(Content::Images, 16, image), (Content::Labels, 8, 1)] {
        let mut seen = 0;
        let result = check(data, content, &mut |bytes| seen += bytes.len());
        if let Ok(items) = result {
            assert_eq!(seen, header + items as usize * item);
        }
    }
});
