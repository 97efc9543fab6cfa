//! End of the processes of a system that was killed.

use std::{
    env, io, process,
    thread::{self, sleep},
    time::Duration,
};

/// Variable of processes whose standard input is a pipe of the system: its end is theirs.
pub(super) const PARENT: &str = "TRAVEL_PARENT_PIPE";

/// Time to end after the signal.
const GRACE: Duration = Duration::from_secs(10);

/// In a process of the system, makes it end when the system ends, even if that is killed.
pub fn end_with_parent() {
    if env::var_os(PARENT).is_none() {
        return;
    }
    thread::spawn(|| {
        // It ends with the pipe; nothing is written to it.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        terminate();
        sleep(GRACE);
        process::exit(1);
    });
}

/// Stops as for SIGTERM.
#[cfg(unix)]
fn terminate() {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGTERM);
}

#[cfg(not(unix))]
fn terminate() {
    process::exit(1);
}
