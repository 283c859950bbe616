//! What machine this is: read from the kernel's files, never from a driver, and without the names of
//! its user and host.

pub(crate) mod proc;
pub(crate) mod roots;
mod sensors;

pub use roots::Roots;
pub use sensors::Thermometer;
pub(crate) use sensors::{Frequencies, throttle_events};
