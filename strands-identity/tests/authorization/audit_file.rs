//! The JSON-lines file: durable, repaired after a crash, with one writer.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use strands_identity::{AuditDecision, AuditFileError, AuditRecord, AuditSink, JsonLinesAudit};

fn record(number: usize) -> AuditRecord {
    AuditRecord::new(AuditDecision::Allowed).with_reason(format!("record {number}\nwith a line break"))
}

/// Returns the numbers of all records. Fails if a line is not a record.
fn numbers(path: &Path) -> Vec<usize> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let number = |line: &str| {
        let record: AuditRecord = serde_json::from_str(line).unwrap();
        record.reason.unwrap().split([' ', '\n']).nth(1).unwrap().parse().unwrap()
    };
    text.lines().map(number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_records_are_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = JsonLinesAudit::open(&path).unwrap();
    // More than the queue holds.
    let all = (0..3_000).map(|number| {
        let audit = audit.clone();
        tokio::spawn(async move { audit.record(&record(number)).await })
    });
    for stored in join_all(all).await {
        stored.unwrap().unwrap();
    }
    let mut found = numbers(&path);
    found.sort_unstable();
    assert_eq!(found, (0..3_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dropped_caller_does_not_keep_others_from_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = JsonLinesAudit::open(&path).unwrap();
    for number in 0..200 {
        let (dropped, kept) = (record(1_000), record(number));
        let dropped = tokio::time::timeout(std::time::Duration::ZERO, audit.record(&dropped));
        let (_, kept) = tokio::join!(dropped, audit.record(&kept));
        kept.unwrap();
    }
    let found: Vec<_> = numbers(&path).into_iter().filter(|number| *number < 1_000).collect();
    assert_eq!(found, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn appends_to_the_records_of_earlier_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for number in 0..3 {
        JsonLinesAudit::open(&path).unwrap().record(&record(number)).await.unwrap();
    }
    assert_eq!(numbers(&path), [0, 1, 2]);
}

#[tokio::test]
async fn repairs_the_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let line = |number| serde_json::to_string(&record(number)).unwrap();
    // A long torn line, over several chunks of the search for its start.
    let long = format!("{{\"time\":\"{}", "é".repeat(100_000));
    let torn = [line(1)[..20].to_owned(), "{".to_owned(), "\0\0\0".to_owned(), long];
    for torn in &torn {
        fs::write(&path, format!("{}\n{torn}", line(0))).unwrap();
        JsonLinesAudit::open(&path).unwrap().record(&record(2)).await.unwrap();
        assert_eq!(numbers(&path), [0, 2]);
        fs::write(&path, torn).unwrap();
        JsonLinesAudit::open(&path).unwrap().record(&record(2)).await.unwrap();
        assert_eq!(numbers(&path), [2]);
    }
    // A whole record that lacks its line break.
    fs::write(&path, format!("{}\n{}", line(0), line(1))).unwrap();
    JsonLinesAudit::open(&path).unwrap().record(&record(2)).await.unwrap();
    assert_eq!(numbers(&path), [0, 1, 2]);
}

#[test]
fn the_file_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let first = JsonLinesAudit::open(&path).unwrap();
    let second = JsonLinesAudit::open(&path).unwrap_err();
    assert!(matches!(&second, AuditFileError::InUse { path: used } if *used == path), "{second:?}");
    drop(first);
    JsonLinesAudit::open(&path).unwrap();
    let missing = JsonLinesAudit::open(folder.path().join("no/audit.jsonl")).unwrap_err();
    assert!(matches!(missing, AuditFileError::Io { .. }), "{missing:?}");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let _audit = JsonLinesAudit::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error() {
    let audit = JsonLinesAudit::open("/dev/full").unwrap();
    let error = audit.record(&record(0)).await.unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    // A device can't be truncated, so the file stays torn.
    audit.record(&record(1)).await.unwrap_err();
}

/// Entry point of the process that `no_acknowledged_record_is_lost_when_killed` kills, not a test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let Some(path) = std::env::var_os("STRANDS_TEST_AUDIT_FILE") else { return };
    let audit = JsonLinesAudit::open(path).unwrap();
    let first: usize = std::env::var("STRANDS_TEST_FIRST").unwrap().parse().unwrap();
    for round in 0.. {
        let each = (0..4).map(async |at| {
            let number = first + round * 4 + at;
            audit.record(&record(number)).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "stored {number} .").and_then(|()| out.flush()).unwrap();
        });
        join_all(each).await;
    }
}

#[cfg(unix)]
#[test]
fn no_acknowledged_record_is_lost_when_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut acknowledged = Vec::new();
    for kill in 0..10 {
        let mut worker = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audit_file::worker", "--nocapture"])
            .env("STRANDS_TEST_AUDIT_FILE", &path)
            .env("STRANDS_TEST_FIRST", (kill * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines().map_while(Result::ok);
        let stored = |line: &String| {
            line.split(' ').skip_while(|word| *word != "stored").nth(1).is_some() && line.ends_with('.')
        };
        let number = |line: String| line.split(' ').rev().nth(1).unwrap().parse::<usize>().unwrap();
        acknowledged.extend(lines.by_ref().filter(stored).take(5 + kill * 7).map(number));
        worker.kill().unwrap();
        acknowledged.extend(lines.filter(stored).map(number));
        worker.wait().unwrap();
        drop(JsonLinesAudit::open(&path).unwrap());
        let found = numbers(&path);
        let lost: Vec<_> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
        assert!(lost.is_empty(), "{lost:?} of {}", found.len());
    }
    assert!(acknowledged.len() > 100);
}
