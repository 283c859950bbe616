//! Arithmetic on all processors that ends for certain.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// 16 KiB of numbers: they stay in the first cache, so that the arithmetic units never wait.
const NUMBERS: usize = 4096;

/// Threads that multiply and add until this is dropped.
///
/// They have the ordinary priority, like the training that they prepare for: at a low one, another
/// process would take their place unnoticed.
#[derive(Debug)]
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts up to `threads` threads; fewer where the system refuses.
    pub(crate) fn start(threads: usize) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map_while(|_| {
                let over = Arc::clone(&over);
                std::thread::Builder::new().name("load".into()).spawn(move || work(&over)).ok()
            })
            .collect();
        Load { over, threads }
    }

    /// How many threads run.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Ends the load and waits until its threads are gone: less than a millisecond each.
    pub(crate) fn end(self) {}
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Passes over the numbers, which the compiler turns into vector instructions, and looks after each
/// hundred passes whether it is over.
fn work(over: &AtomicBool) {
    let mut numbers = [1.0f32; NUMBERS];
    while !over.load(Ordering::Relaxed) {
        for _ in 0..100 {
            for number in black_box(&mut numbers) {
                // Converges to 2, so that no value overflows or becomes a slow denormal.
                *number = *number * 0.999 + 0.002;
            }
        }
    }
}
