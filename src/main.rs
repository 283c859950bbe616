//! The `joulerace` program: parse, dispatch, and turn the outcome into an exit status. All of it is in `commands`, a
//! file a command.

fn main() -> std::process::ExitCode {
    joulerace::commands::main()
}
