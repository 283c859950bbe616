//! `joulerace completions` and `joulerace man`: made from the command line's own description.

use crate::cli::Cli;
use crate::cli::{CompletionsArgs, ManArgs};
use crate::error::{Error, Status};
use crate::screen::say;
use clap::CommandFactory;
use std::process::ExitCode;

/// `joulerace completions`.
pub(crate) fn completions(args: CompletionsArgs) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "joulerace", &mut text);
    say(&String::from_utf8_lossy(&text));
    Ok(ExitCode::SUCCESS)
}

/// `joulerace man`.
pub(crate) fn man(args: ManArgs) -> Result<ExitCode, Error> {
    let command = Cli::command();
    match args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::Other(e.into()))?;
            say(&String::from_utf8_lossy(&page));
        }
        Some(dir) => {
            let written = std::fs::create_dir_all(&dir)
                .and_then(|()| clap_mangen::generate_to(command, &dir));
            written.map_err(|e| {
                let message = format!("{} cannot be written: {e}", dir.display());
                Error::advised(Status::Output, message, "name another folder")
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
