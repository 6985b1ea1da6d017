//! Tests of every way to end other than by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::events::Note;

/// Long enough for bash to start on a busy machine.
const SHORT: Duration = Duration::from_secs(3);

/// The limit for a command that did not wait for its children, which sleep for a thousand seconds.
const SOON: Duration = Duration::from_mins(2);

#[test]
fn at_the_deadline_it_is_ended() {
    let stages = stages(&[&["bash", "-c", "echo $$ >&2; exec sleep 1000"], &["cat"]]);
    let tried = tried(&Command { deadline: SHORT, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![143, 143], EndedBy::Deadline));
    assert!(tried.ended.duration >= SHORT && tried.ended.duration < SOON);
    assert_gone(&tried.err);
}

#[test]
fn a_deadline_may_be_beyond_the_end_of_time() {
    let stages = bash("exit 4");
    let tried = tried(&Command { deadline: Duration::MAX, grace: Duration::MAX, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![4], EndedBy::Itself));
}

#[test]
fn one_halt_ends_five_commands_side_by_side() {
    let (cancel, other) = (Cancel::new().unwrap(), Cancel::new().unwrap());
    let (say, heard) = mpsc::channel();
    let cancels = [&other, &cancel];
    std::thread::scope(|threads| {
        let five = [0; 5].map(|_| {
            let mut sink = Saying(say.clone());
            threads.spawn(move || {
                let stages = bash("echo $$; exec sleep 1000");
                let ended = run(&command(&stages), &mut sink, &mut io::sink(), &cancels).unwrap();
                assert_eq!((ended.exit, ended.by), (vec![143], EndedBy::StagingDryRun(0)));
            })
        });
        let pids = [0; 5].map(|_| heard.recv().unwrap());
        let pulled = Instant::now();
        cancel.cancel();
        for command in five {
            command.join().unwrap();
        }
        assert!(pulled.elapsed() < SOON, "over {:?} after the halt", pulled.elapsed());
        assert_gone(&pids.concat());
    });
    assert!(!other.is_cancelled());
}

/// A writer that reports each write to it.
struct Saying(mpsc::Sender<String>);

impl Write for Saying {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn with_a_pulled_halt_nothing_is_started() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::new().unwrap();
    cancel.cancel();
    let stages = bash("echo started >started");
    let tried = tried(&Command { dir: dir.path(), ..command(&stages) }, &[&cancel]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![], EndedBy::StagingDryRun(0)));
    assert!(!dir.path().join("started").exists());
}

#[test]
fn one_that_ignores_term_is_killed_after_the_grace() {
    let stages = bash("trap '' TERM; echo $$; while :; do sleep 1000; done");
    let tried = tried(&Command { deadline: SHORT, grace: SHORT, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![137], EndedBy::Deadline));
    assert!(tried.ended.duration >= 2 * SHORT);
    assert_gone(&tried.out);
}

#[test]
fn its_grace_ends_when_it_has_to_hurry() {
    let (cancel, kill_now) = (Cancel::new().unwrap(), Cancel::new().unwrap());
    let (say, heard) = mpsc::channel();
    let stages = bash("trap '' TERM; echo $$; while :; do sleep 1000; done");
    let command = Command { grace: Duration::MAX, kill_now: Some(&kill_now), ..command(&stages) };
    std::thread::scope(|threads| {
        let ending = threads.spawn(|| run(&command, &mut Saying(say), &mut io::sink(), &[&cancel]).unwrap());
        let pid = heard.recv().unwrap();
        cancel.cancel();
        kill_now.cancel();
        let ended = ending.join().unwrap();
        assert_eq!((ended.exit, ended.by), (vec![137], EndedBy::StagingDryRun(0)));
        assert!(ended.duration < SOON);
        assert_gone(&pid);
    });
}

#[test]
fn one_that_was_stopped_hears_of_its_end_too() {
    let stages = bash("trap 'exit 5' TERM; echo $$; kill -STOP $$; sleep 1000");
    let tried = tried(&Command { deadline: SHORT, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![5], EndedBy::Deadline));
    assert_gone(&tried.out);
}

#[test]
fn what_it_left_behind_goes_with_it_when_it_is_ended() {
    let stages = bash("bash -c 'trap \"\" TERM; sleep 1000' >/dev/null 2>&1 & echo $! $$; wait");
    let tried = tried(&Command { deadline: SHORT, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![143], EndedBy::Deadline));
    assert_gone(&tried.out);
}

#[test]
fn one_that_leaves_something_holding_its_output_is_not_waited_for() {
    let tried = tried(&command(&bash("sleep 1000 & echo $! $$; exit 6")), &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![6], EndedBy::HeldPipes));
    assert_eq!(tried.ended.note, Some(Note::LeftOneRunning));
    assert!(tried.ended.duration < SOON);
    assert_gone(&tried.out);
}

#[test]
fn what_ends_soon_after_it_is_waited_for() {
    let tried = tried(&command(&bash("(sleep 0.1; echo late) & echo early")), &[]);
    assert_eq!((tried.out.as_str(), tried.ended.by), ("early\nlate\n", EndedBy::Itself));
    assert_eq!(tried.ended.note, None);
}

#[test]
fn what_goes_on_printing_is_not_waited_for_either() {
    let tried = tried(&command(&bash("(while :; do echo more; sleep 0.1; done) & echo $! >&2")), &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![0], EndedBy::HeldPipes));
    assert!(tried.ended.duration < SOON);
    assert_gone(&tried.err);
}

#[test]
fn what_left_its_group_is_abandoned_and_told() {
    let stages = bash("setsid sleep 1000 & echo $!; exit 0");
    let tried = tried(&Command { grace: SHORT, ..command(&stages) }, &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![0], EndedBy::HeldPipes));
    assert_eq!(tried.ended.note, Some(Note::OutputIncomplete));
    assert!(tried.ended.duration < SOON);
    let pid = tried.out.trim().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_slow_sink_is_not_taken_for_a_held_pipe() {
    let stages = stages(&[&["head", "-c", "150000", "/dev/zero"]]);
    let ended = run(&command(&stages), &mut Slow, &mut io::sink(), &[]).unwrap();
    assert_eq!((ended.exit, ended.by, ended.note), (vec![0], EndedBy::Itself, None));
}

#[test]
fn one_that_ended_while_the_sink_was_slow_did_not_miss_the_deadline() {
    let stages = bash("echo text");
    let ended =
        run(&Command { deadline: SHORT, ..command(&stages) }, &mut Slow, &mut io::sink(), &[]).unwrap();
    assert_eq!((ended.exit, ended.by, ended.note), (vec![0], EndedBy::Itself, None));
}

/// A writer that is slower than outputs may be silent, and than [`SHORT`].
struct Slow;

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Cancel::new()?.wait(Duration::from_millis(3500));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn one_that_asks_for_the_terminal_is_ended() {
    elsewhere("exec::tests::endings::at_a_terminal", &["script", "/dev/null", "-qec"]);
}

#[test]
#[ignore = "run by another test, at a terminal"]
fn at_a_terminal() {
    // As a credential plugin does that asks for a password.
    let stages = bash("echo $$; bash -c 'read -r password </dev/tty'; exit 0");
    let tried = tried(&command(&stages), &[]);
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![143], EndedBy::AskedForTerminal));
    assert!(tried.ended.duration < SOON);
    assert_gone(&tried.out);
}

/// A full disk, which accepts this many writes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn output_that_cannot_be_kept_ends_it_and_the_error_is_told() {
    let mut err = Vec::new();
    let stages = bash("trap 'echo term >&2' TERM; echo $$ >&2; yes; echo after >&2");
    let ended = run(&command(&stages), &mut Full(3), &mut err, &[]).unwrap();
    assert_eq!(ended.by, EndedBy::OutputNotKept);
    assert_eq!(ended.sink_error.unwrap().kind(), io::ErrorKind::StorageFull);
    // The other output is still stored.
    let err = String::from_utf8(err).unwrap();
    let (pid, rest) = err.split_once('\n').unwrap();
    assert!(rest.ends_with("term\nafter\n"), "{rest}");
    assert_gone(pid);
}

#[test]
fn an_error_of_the_last_write_is_not_lost() {
    let ended = run(&command(&bash("echo text")), &mut Full(0), &mut io::sink(), &[]).unwrap();
    // The exit code may be its own or the one of TERM; no rule judges it.
    assert_eq!(ended.by, EndedBy::OutputNotKept);
    assert!(ended.sink_error.is_some());
}

#[test]
fn a_panic_in_a_sink_ends_it() {
    struct Panics<'a>(&'a mut Vec<u8>);
    impl Write for Panics<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            std::panic::resume_unwind(Box::new("a panic"));
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Vec::new();
    let stages = bash("echo $$; exec sleep 1000");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        run(&command(&stages), &mut Panics(&mut out), &mut io::sink(), &[]).map(|_| ())
    }));
    assert!(ran.is_err());
    assert_gone(&String::from_utf8(out).unwrap());
}
