//! The binary: everything it does is in the library's `commands`.

use std::process::ExitCode;

use tagfall::commands::{self, Stdout};

fn main() -> ExitCode {
    commands::main(stdout())
}

/// Determined before `main`: the standard library replaces a standard stream that is closed by `/dev/null`,
/// and from then on it looks like one that the user has redirected there.
#[cfg(target_os = "linux")]
mod at_start {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    pub static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

    #[ctor::ctor(unsafe)]
    fn look() {
        let streams = Path::new("/proc/self/fd");
        let closed = streams.is_dir() && streams.join("1").symlink_metadata().is_err();
        STDOUT_IS_CLOSED.store(closed, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
fn stdout() -> Stdout {
    if at_start::STDOUT_IS_CLOSED.load(std::sync::atomic::Ordering::Relaxed) {
        Stdout::Closed
    } else {
        Stdout::Open
    }
}

#[cfg(not(target_os = "linux"))]
fn stdout() -> Stdout {
    Stdout::Open
}
