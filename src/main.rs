//! The `fanfare` binary: parses what a person typed and hands it to the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fanfare::cli::run()
}
