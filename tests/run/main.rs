//! Whole experiments in a world that goes wrong: disks, sensors, terminals, input.
#![cfg(target_os = "linux")]

#[path = "../common/cards.rs"]
mod cards;
mod damage;
mod disk;
#[path = "../common/energibridge.rs"]
mod energibridge;
#[path = "../common/experiment.rs"]
mod experiment;
mod hostile;
mod input;
mod meters;
#[path = "../common/powercap.rs"]
mod powercap;
mod stopping;
mod strangers;
