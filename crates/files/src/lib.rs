//! Files in folders and text that anyone may have made, handled so that neither does harm.

pub mod clean;
pub mod files;
