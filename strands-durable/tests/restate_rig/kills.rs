//! Random kills of worker and server.

use std::time::Duration;

use crate::rig::{MISMATCH, Rig, Sent};

/// Sessions at once.
const SESSIONS: usize = 6;

/// Kills worker and server while sessions run, and checks each turn.
pub(crate) async fn kills(count: u32) {
    let mut rig = Rig::start("kills", 1, |_| {}).await;
    let (mut started, mut killed_servers, mut noted) = (0, 0, 0);
    let mut running: Vec<Sent> = Vec::new();
    let mut done: Vec<Sent> = Vec::new();
    for kill in 1..=count {
        let ended = rig.query("select id from sys_invocation where status = 'completed'").await;
        let is_done = |sent: &Sent| ended.iter().any(|row| row["id"] == *sent.run_id);
        done.extend(running.extract_if(.., |sent| is_done(sent)));
        while running.len() < SESSIONS {
            started += 1;
            running.push(rig.send("journey", &format!("s-{started}")).await);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..900))).await;
        for sent in &running {
            noted += rig.note_records(sent).await;
        }
        if fastrand::u32(0..4) == 0 {
            killed_servers += 1;
            rig.server.process.kill();
            rig.server.process.start();
        } else {
            rig.workers[0].kill();
            rig.workers[0].start();
        }
        if kill % 10 == 0 {
            rig.check_failures().await;
            println!("{kill} kills, {started} turns begun");
        }
    }
    done.append(&mut running);
    let mut unseen = 0;
    for sent in &done {
        unseen += usize::from(!rig.is_seen_to_its_end(sent).await);
    }
    assert!(unseen <= done.len() / 50, "readers have not seen the end of {unseen} turns");
    rig.check_failures().await;
    rig.check_repeated();
    assert!(!rig.server.process.log().contains(MISMATCH), "a journal does not fit: see the logs");
    let log = rig.mock.log();
    assert!(noted > 0 && !log.recorded_responses.is_empty() && !log.recorded_results.is_empty());
    // A kill cuts off one model call of each session at most.
    let responses = u32::try_from(done.len()).unwrap() * 10;
    assert!(log.total_model_calls() <= responses + count * u32::try_from(SESSIONS).unwrap());
    let attempts: usize = done.iter().map(|sent| rig.readers.shown(&sent.run_id).attempts.len()).sum();
    let taken_back: usize = done.iter().map(|sent| rig.readers.shown(&sent.run_id).taken_back).sum();
    println!(
        "{count} kills ({killed_servers} of the server): {} turns ended as undisturbed ones in {attempts} attempts; {} model calls \
         for {} responses, {} starts of {} tool calls; of recorded ones begun again: 0; readers were told to take back {taken_back} texts, and have \
         not seen the end of {unseen} turns whose worker was killed as they ended",
        done.len(),
        log.total_model_calls(),
        responses,
        log.total_tool_starts(),
        done.len() * 12,
    );
}
