//! Calls of package managers, which install the servers that the system does not have itself.

use std::{ffi::OsString, path::Path, process::Stdio, time::Duration};

use tokio::{io::BufReader, process::Command, time::timeout};

use super::output::{LastLines, Output};

/// Runs a program whose errors are shown as those of a process. An error has its last line.
pub(super) async fn call(
    process: &str,
    program: &Path,
    arguments: &[OsString],
    limit: Duration,
    output: &Output,
) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let program = program.display();
    let mut child = command.spawn().map_err(|error| format!("{program} can't be started ({error})"))?;
    let last = LastLines::default();
    let run = async {
        if let Some(stderr) = child.stderr.take() {
            output.clone().forward(process.to_owned(), BufReader::new(stderr), last.clone()).await;
        }
        child.wait().await
    };
    match timeout(limit, run).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(_)) => {
            let lines = last.take();
            // npm ends with the place of its log.
            let says_why = |line: &&String| !line.trim().is_empty() && !line.contains("A complete log of this run");
            let reason = lines.iter().rfind(says_why).map_or("it wrote nothing", String::as_str);
            Err(format!("{program} failed ({reason})"))
        }
        Ok(Err(error)) => Err(format!("{program} failed ({error})")),
        Err(_) => Err(format!("{program} took more than {} seconds", limit.as_secs())),
    }
}
