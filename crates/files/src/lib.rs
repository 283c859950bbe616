//! Files in folders and text that anyone may have made, handled so that neither does harm.

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

pub mod clean;
pub mod files;
mod remedy;

pub use remedy::Remedy;
