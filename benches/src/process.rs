//! Costs of a whole process.

use std::process::Command;
use std::time::Duration;

use cpu_time::ProcessTime;

/// Processor time and memory of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Peak of resident memory in KiB.
    pub(crate) memory: u64,
}

/// Runs this program with other arguments.
pub(crate) fn measure(arguments: &[&str]) -> Cost {
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap();
    let (nanoseconds, memory) = line.trim_end().split_once(' ').unwrap();
    Cost { time: Duration::from_nanos(nanoseconds.parse().unwrap()), memory: memory.parse().unwrap() }
}

/// Prints what this process has used so far, in the measured process.
pub(crate) fn report() {
    let time = ProcessTime::now().as_duration().as_nanos();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("0", |line| line.trim_end_matches("kB"));
    println!("{time} {}", peak.trim());
}
