//! The right environment is found, checked against the lock, or made; a half-made one never runs.
#![cfg(unix)]

mod bench;
mod failures;
mod found;
mod made;
mod managed;
mod real;
mod versions;
