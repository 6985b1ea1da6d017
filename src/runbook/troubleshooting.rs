//! The runbook's Troubleshooting section, for `explain` and for the hints after a STOP.

/// An entry of the runbook's Troubleshooting section.
#[derive(Debug, Clone, Copy)]
pub struct TroubleshootingEntry {
    /// The id for `explain`.
    pub id: &'static str,
    /// Its heading in the runbook.
    pub heading: &'static str,
    /// Its likely causes, in a few words.
    pub causes: &'static str,
    /// Its check commands, as text with the runbook's variables; `$POD` is the pod that was seen.
    pub checks: &'static [&'static str],
    /// The stop rules that it belongs to.
    pub stop_rules: &'static [u8],
}

/// The entries of the runbook's Troubleshooting section, in its order.
pub const TROUBLESHOOTING: &[TroubleshootingEntry] = &[
    TroubleshootingEntry {
        id: "trouble-rollout",
        heading: "### Issue: Rollout Timeout",
        causes: "image pull errors (ImagePullBackOff), insufficient resources (Pending), probe failures",
        checks: &[
            "kubectl get pods -n \"$STAGING_NAMESPACE\"",
            "kubectl describe pod \"$POD\" -n \"$STAGING_NAMESPACE\"",
            "kubectl get events -n \"$STAGING_NAMESPACE\" --sort-by='.lastTimestamp' | tail -20",
        ],
        stop_rules: &[1, 2],
    },
    TroubleshootingEntry {
        id: "trouble-readyz",
        heading: "### Issue: /readyz Returns 503",
        causes: "database connection failure, Redis connection failure, S3/SQS endpoint misconfiguration",
        checks: &["curl \"$STAGING_BASE_URL/health\" | jq '.services'"],
        stop_rules: &[3],
    },
    TroubleshootingEntry {
        id: "trouble-smoke",
        heading: "### Issue: Smoke Tests Fail (< 10/10)",
        causes: "load balancer endpoint not ready (wait 1-2 minutes), ingress misconfiguration, CORS",
        checks: &["cat \"$EVIDENCE\"/smoke/results.json | jq '.checks[] | select(.pass == false)'"],
        stop_rules: &[4],
    },
];
