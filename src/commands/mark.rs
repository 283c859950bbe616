//! `joulerace mark`: a command says that a phase of it begins or ends.

use crate::cli::MarkArgs;
use crate::error::{Error, Status};
use joulerace_meter::marks;
use std::process::ExitCode;

/// `joulerace mark`. Where nobody measures it does nothing, so that a command that marks its phases runs
/// as well by itself.
pub(crate) fn mark(args: &MarkArgs) -> Result<ExitCode, Error> {
    match marks::send(args.phase, args.edge) {
        Ok(heard) => {
            if !heard {
                tracing::info!("nobody measures: {} names no file", marks::VARIABLE);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let file = std::env::var(marks::VARIABLE).unwrap_or_default();
            Err(Error::advised(
                Status::Output,
                format!("the mark cannot be made: {file}: {error}"),
                format!("{} names a file only while a command is measured", marks::VARIABLE),
            ))
        }
    }
}
