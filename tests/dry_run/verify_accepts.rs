//! What an honest run leaves is not doubted, however odd it was.

use super::support::{Ran, Staging, shortened};
use super::verified::verify;

#[track_caller]
fn holds(ran: &Ran) {
    let (status, said) = verify(&ran.evidence(), &[]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_value_that_is_a_part_of_a_pods_name() {
    let staging = shortened("crash-loop").with("DB_PASSWORD", "b5c6d7549");
    let ran = staging.with("STAGING_REDACT", "DB_PASSWORD").run().exits(1);
    let looked = std::fs::read_to_string(ran.evidence().join("deploy/cmd.txt")).unwrap();
    assert!(looked.contains("-- 'dpp-api-[redacted:DB_PASSWORD]-"), "{looked}");
    holds(&ran);
}

#[test]
fn a_value_that_a_placeholder_brought_into_a_manifest() {
    let staging = Staging::of("healthy").remembering().with("DB_PASSWORD", "dpp-api:v0.4");
    holds(&staging.with("STAGING_REDACT", "DB_PASSWORD").run().exits(2));
}

#[test]
fn a_list_that_could_not_be_read() {
    // The last look at the objects, after the rollouts.
    let stray = r#"if [[ $* == *rollout* ]]; then : >"$0.rolled"; fi
        if [[ -e "$0.rolled" && $* == *'-o json'* && $* == *pods* ]]; then echo 'a word of its own'; fi
        exec "$REAL" "$@""#;
    let ran = Staging::of("healthy").remembering().in_place_of("kubectl", stray).run().exits(4);
    assert!(ran.stderr.contains("could not be read"), "{}", ran.stderr);
    holds(&ran);
}
