//! The words of the evidence format, which a value to redact must not contain.
//!
//! A test checks that the list contains every key and name of the journal and the manifest.

/// The keys and names of the journal and the manifest that have at least eight letters.
///
/// A value to redact that is one of them, or a part of one, would destroy the format, so the run is refused.
/// Shorter words need no entry, since a value to redact has at least eight letters.
pub const FORM: &str = "manifest_sha256 addresses allow_placeholder annotations api_version artifacts asked-for-terminal assigned available \
     available_replicas aws_account_id aws_region base_url byte-range check-answered checks_passed \
     checks_total clock-moved clock_moved_ms cluster-user command-ended command-starts commands \
     commit_sha conclusion conditions configured confirmed_by container containers content_type \
     context-read criteria criterion date_kst date_utc deadline deadline_ms deleting deployment deployments \
     deployments-after duration_ms duration_sec ended_by ended_utc endpoints ends_the_search environment \
     errormsg evaluate evaluation evidence_dir exit_code exitcode files-listed first-sight first_error forbidden \
     found_at generation generations health-asked health_timeout_ms held-pipes holds_named holds_secret \
     http_code http_status image_id image_tag incomplete interrupted keep_secrets kube_system_uid \
     last_words latency-sampled latency_ms limit_ms manifest-command manifest-read manifests_dirty \
     match_labels mechanism metadata metrics_url namespace namespace-uid namespace_uid needed_for \
     not-assigned not-evaluated not-found observed observed_generation output-not-kept \
     permission-answered placeholders pod-judged pod-seen pods-after pods-before preflight previous_run \
     progress-deadline question reads_key ready_endpoints ready_replicas redactions redirect_url \
     remote_ip rendered replicas restarts revision rollback rolled-out rollout-ended rollout_timeout \
     ruled-out run-began run-ended runbook-read selector server-version service-endpoints services \
     sighting sign_with ssl_verify_result staging-dry-run step-ended stop-rule target_ref terminated \
     terminating time_total timed-out tls_verify tool-found tool-version transfer unchanged unconfirmed \
     unreachable unreadable updated_replicas waited_ms warnings with_key would-land";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::FORM;

    /// Returns the fields and the variants of a source file, as serde writes them.
    fn written(source: &str) -> BTreeSet<String> {
        let product = source.split("#[cfg(test)]").next().unwrap();
        let mut words = BTreeSet::new();
        // Fields and variants are indented once; what a function builds, more.
        let items = product.lines().filter_map(|line| line.strip_prefix("    "));
        for line in items.filter(|line| !line.starts_with(' ')) {
            let field = line.strip_prefix("pub ").and_then(|line| line.split_once(": "));
            if let Some((field, _)) = field.filter(|(field, _)| !field.contains(' ')) {
                words.insert(field.to_owned());
            }
            let name = line.split(['(', ' ', ',']).next().unwrap();
            if name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric())
            {
                let kebab = name.char_indices().map(|(at, c)| match c {
                    'A'..='Z' if at > 0 => format!("-{}", c.to_ascii_lowercase()),
                    _ => c.to_ascii_lowercase().to_string(),
                });
                words.insert(kebab.collect());
            }
        }
        words
    }

    #[test]
    fn every_key_and_name_of_the_journal_is_listed() {
        let listed: BTreeSet<&str> = FORM.split_whitespace().collect();
        for source in [
            include_str!("mod.rs"),
            include_str!("began.rs"),
            include_str!("commands.rs"),
            include_str!("../manifest.rs"),
            include_str!("../facts/pods.rs"),
            include_str!("../facts/deployments.rs"),
            include_str!("../facts/dry_run.rs"),
            include_str!("../facts/endpoints.rs"),
            include_str!("../facts/curl.rs"),
            include_str!("../verdict/stop_rules.rs"),
            include_str!("../verdict/criteria.rs"),
        ] {
            for word in written(source).iter().filter(|word| word.len() >= 8) {
                assert!(listed.contains(word.as_str()), "{word} is not in FORM");
            }
        }
    }
}
