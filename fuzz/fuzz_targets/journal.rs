//! A journal, and all that follows from it: the record, the verdict, the manifest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::events::Event;
use staging_dry_run::evidence::events_of;
use staging_dry_run::manifest::Manifest;
use staging_dry_run::report::applied_in_a_line;
use staging_dry_run::run_state::RunState;
use staging_dry_run::verdict::judge;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(events) = events_of(bytes)
        && bytes.ends_with(b"\n")
    {
        // A crash may tear the file anywhere: what stood before is still read.
        for cut in [bytes.len() / 2, bytes.len() - 1] {
            let torn = events_of(&bytes[..cut]).expect("a journal torn anywhere is a journal");
            assert!(events.starts_with(&torn), "torn at {cut}");
        }
    }

    // Any event may follow any other.
    let lines = bytes.split(|byte| *byte == b'\n');
    let events: Vec<Event> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();

    // Written again, it is the same journal, to the millisecond.
    let written = journal(&events);
    let event = |line| serde_json::from_str(line).expect("an event that was written can be read");
    let again: Vec<Event> = written.lines().map(event).collect();
    assert_eq!(journal(&again), written);

    let run = RunState::of(&events);
    let judgement = judge(&run);
    let manifest = Manifest::of(&run, &judgement);
    let json = serde_json::to_string(&manifest).expect("a manifest can be written");
    let read: Manifest = serde_json::from_str(&json).expect("and read again");
    assert_eq!((read.verdict, read.run_id), (judgement.verdict, manifest.run_id));
    let _ = applied_in_a_line(&run);
});

fn journal(events: &[Event]) -> String {
    let line = |event| serde_json::to_string(event).expect("an event can be written") + "\n";
    events.iter().map(line).collect()
}
