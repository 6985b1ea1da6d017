//! The `staging-dry-run` program. The library, `staging_dry_run`, contains all of its code.

use std::panic;
use std::process::ExitCode;

use staging_dry_run::session::HostEnvironment;
use staging_dry_run::{cli, report};

fn main() -> ExitCode {
    let done = panic::catch_unwind(|| {
        let host = match std::env::current_dir() {
            Ok(folder) => HostEnvironment { environment: std::env::vars_os().collect(), folder },
            Err(error) => {
                report::fail(&format!("the current directory can't be read: {error}"));
                return 4;
            }
        };
        cli::main(std::env::args_os().collect(), &host)
    });
    ExitCode::from(done.unwrap_or(4))
}
