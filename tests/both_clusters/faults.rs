//! What happens to a run when the real API server hangs, dies, or comes back.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use real_cluster::{Program, Real};
use rehearsal::{Answer, Fate, Scenario, When, scenario};

use super::staging::{Ran, Staging};

/// A run under way, and what it has said so far.
struct UnderWay {
    staging: Staging<Real>,
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl UnderWay {
    /// Starts `run -v`, which tells of each command as it starts and ends.
    fn start(staging: Staging<Real>, options: &[&str]) -> Self {
        let mut command = staging.command(&[&["run", "-v"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { staging, child, stderr, said: String::new() }
    }

    /// Reads on until it says this.
    #[track_caller]
    fn until(mut self, words: &str) -> Self {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it never said {words}:\n{}", self.said);
            self.said += &line;
        }
        self
    }

    fn ends(mut self) -> Ran<Real> {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.said.into_bytes();
        self.staging.ran(Output { ..output })
    }
}

fn real(scenario: Scenario) -> Staging<Real> {
    Staging::with_cluster(scenario)
}

fn healthy() -> Scenario {
    scenario("healthy").unwrap()
}

/// What the run started and did not end: its children have the evidence's `inputs` as their current folder.
fn left_behind(ran: &Ran<Real>) -> Vec<String> {
    let folder = ran.staging.folder.path();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let ours = processes
        .filter(|path| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)));
    ours.map(|path| std::fs::read_to_string(path.join("cmdline")).unwrap_or_default().replace('\0', " "))
        .collect()
}

fn times(ran: &Ran<Real>, id: &str) -> usize {
    ran.manifest()["commands"].as_array().unwrap().iter().filter(|command| command["id"] == id).count()
}

#[test]
#[ignore = "needs a real control plane"]
fn an_api_server_that_hangs_from_the_start_is_told_by_our_own_deadline() {
    let staging = real(healthy());
    staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = staging.run().exits(2).changed_nothing();
    let ran = ran.says("could not be asked for its namespaces: it gave no answer in time and was ended");
    assert_eq!(left_behind(&ran), Vec::<String>::new());
}

#[test]
#[ignore = "needs a real control plane"]
fn an_api_server_that_hangs_in_mid_rollout_is_a_stop_that_says_what_is_not_known() {
    let run = UnderWay::start(real(scenario("rollout-timeout").unwrap()), &["--rollout-timeout=15s"]);
    let run = run.until("rollout status deployment/dpp-api").until("Waiting for deployment");
    run.staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = run.ends().exits(1).says("STOP by rule 1").says("not known: the pods could not be looked at");
    assert_eq!(left_behind(&ran), Vec::<String>::new());
}

#[test]
#[ignore = "needs a real control plane"]
fn a_watch_that_is_blind_while_the_checks_pass_is_no_pass() {
    let slow = healthy().answer("/pricing/ssot.json", Answer::slow(Duration::from_secs(9)));
    let run = UnderWay::start(real(slow), &[]).until("/health");
    run.staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = run.ends().exits(4).says("INCOMPLETE").says("the pods could not be seen at the end");
    assert_eq!(ran.manifest()["verdict"], "incomplete");
    assert_eq!(left_behind(&ran), Vec::<String>::new());
}

#[test]
#[ignore = "needs a real control plane"]
fn a_run_outlives_an_api_server_that_is_killed_and_comes_back() {
    let late = healthy().new_pods("dpp-api", Fate::Ready, When::After(Duration::from_secs(8)));
    let run = UnderWay::start(real(late), &[]).until("Waiting for deployment \"dpp-api\"");
    run.staging.cluster.signal(Program::ApiServer, "KILL").unwrap();
    run.staging.cluster.start_again().unwrap();
    let ran = run.ends().exits(0);
    assert_eq!(ran.manifest()["verdict"], "pass");
    assert!(times(&ran, "watch.pods") > 1, "the watch that the server ended was not started again");
    assert!(times(&ran, "list.pods") > 0, "a run of more than 10 s lists the pods beside the watch");
    assert_eq!(left_behind(&ran), Vec::<String>::new());
}
