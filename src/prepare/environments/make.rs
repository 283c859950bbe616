//! Several environments at a time, found or made.

use super::{Made, Needed};
use crate::env::{self, EnvError, EnvProgress, EnvSettings};
use crate::error::Error;
use crate::events::Observer;
use crate::prepare::{in_background, token};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};

/// How many installers run at a time: mostly they wait for the network.
pub(super) const AT_A_TIME: usize = 3;

/// Finds or makes all of them, several at a time. The first that cannot be made ends the others.
pub(super) async fn make(
    needed: Vec<Needed>,
    observer: &dyn Observer,
) -> Result<BTreeMap<Option<String>, Made>, Error> {
    let cancel = token()?.child_token();
    let work = move |progress: &mut dyn FnMut(EnvProgress)| {
        let queue = Mutex::new(needed.into_iter());
        let made = Mutex::new(Vec::new());
        let (sender, reports) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                let (sender, queue, made, cancel) = (sender.clone(), &queue, &made, &cancel);
                scope.spawn(move || {
                    while let Some((key, settings, _)) = next(queue) {
                        let settings = EnvSettings { cancel: cancel.clone(), ..settings };
                        let one = make_one(&settings, &mut |report| drop(sender.send(report)));
                        if one.is_err() {
                            cancel.cancel();
                        }
                        made.lock().unwrap_or_else(PoisonError::into_inner).push((key, one));
                    }
                });
            }
            drop(sender);
            reports.into_iter().for_each(progress);
        });
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        // One that was stopped because another failed says less than that failure.
        made.sort_by_key(|(_, one)| matches!(one, Err(EnvError::Cancelled { .. })));
        made.into_iter().map(|(key, one)| Ok((key, one?))).collect()
    };
    in_background(work, observer).await
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn make_one(
    settings: &EnvSettings,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Made, EnvError> {
    let environment = env::resolve(settings, progress)?;
    let python = environment.interpreter()?;
    Ok(Made { environment, python })
}
