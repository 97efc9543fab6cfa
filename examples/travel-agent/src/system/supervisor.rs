//! Supervision of one process: it is started, and started again when it ends, until the system stops.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    SystemError,
    output::Output,
    probe::until_ready,
    process::{Process, Program},
};

/// Time to be ready. A first start may create a database.
const READY: Duration = Duration::from_secs(30);

/// A process that ends before this time has failed.
const STEADY: Duration = Duration::from_secs(5);

/// Failures in a row after which the system gives up.
const MAX_FAILURES: u32 = 10;

/// Longest wait before a restart. The first restart is immediate.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The order to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    /// SIGTERM, and SIGKILL after a time.
    Gracefully,
    /// SIGKILL.
    Now,
}

/// A change of a process.
#[derive(Debug)]
pub(super) enum Event {
    /// It is ready, with this process id.
    Ready { name: String, id: u32 },
    /// It can't run.
    Failed(SystemError),
}

/// Runs a process until the order to stop, or until it fails.
pub(super) async fn supervise(
    program: Program,
    output: Output,
    events: mpsc::Sender<Event>,
    mut stop: watch::Receiver<Stop>,
) {
    // If the receiver is gone, the system stops.
    if let Err(error) = restarted(&program, &output, &events, &mut stop).await {
        let _ = events.send(Event::Failed(error)).await;
    }
}

async fn restarted(
    program: &Program,
    output: &Output,
    events: &mpsc::Sender<Event>,
    stop: &mut watch::Receiver<Stop>,
) -> Result<(), SystemError> {
    let mut is_first = true;
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let mut process = Process::start(program, output)?;
        let error = tokio::select! {
            () = stopping(stop) => return stopped(process, program, stop).await,
            () = until_ready(program.address, program.ready) => None,
            () = sleep(READY) => {
                process.kill().await;
                Some(SystemError::NotReady {
                    name: program.name.clone(),
                    seconds: READY.as_secs(),
                    output: process.last_lines().await,
                })
            }
            status = process.ended() => Some(SystemError::Ended {
                name: program.name.clone(),
                status: status.map_err(|source| SystemError::Start { name: program.name.clone(), source })?,
                output: process.last_lines().await,
            }),
        };
        match (error, process.id()) {
            // What fails at first is a mistake in the set-up, which does not go away.
            (Some(error), _) if is_first => return Err(error),
            (None, Some(id)) => {
                is_first = false;
                let _ = events.send(Event::Ready { name: program.name.clone(), id }).await;
                tokio::select! {
                    () = stopping(stop) => return stopped(process, program, stop).await,
                    status = process.ended() => {
                        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                        output.note(&format!("{} ended ({status}); starting it again", program.name));
                    }
                }
            }
            _ => {}
        }
        failures = if started.elapsed() < STEADY { failures + 1 } else { 1 };
        if failures >= MAX_FAILURES {
            let output = process.last_lines().await;
            return Err(SystemError::KeepsFailing { name: program.name.clone(), times: failures, output });
        }
        tokio::select! {
            () = stopping(stop) => return Ok(()),
            () = sleep(delay(failures)) => {}
        }
    }
}

/// Returns the wait before the restart after so many failures.
fn delay(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        more => (Duration::from_millis(100) * 2_u32.saturating_pow(more - 2)).min(MAX_DELAY),
    }
}

async fn stopping(stop: &mut watch::Receiver<Stop>) {
    // If the sender is gone, so is the system.
    let _ = stop.wait_for(|stop| *stop != Stop::No).await;
}

/// Ends a process: after the time of grace, or a second order, by force.
async fn stopped(mut process: Process, program: &Program, stop: &mut watch::Receiver<Stop>) -> Result<(), SystemError> {
    process.terminate();
    let is_late = tokio::select! {
        _ = process.ended() => false,
        () = sleep(program.grace) => true,
        _ = stop.wait_for(|stop| *stop == Stop::Now) => true,
    };
    if is_late {
        process.kill().await;
    }
    let _ = process.last_lines().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_after_each_failure() {
        let delays = [0, 1, 2, 3, 4, 8, u32::MAX].map(|failures| delay(failures).as_millis());
        assert_eq!(delays, [0, 0, 100, 200, 400, 2000, 2000]);
    }
}
