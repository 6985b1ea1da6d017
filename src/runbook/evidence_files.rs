/// One file of the runbook's Evidence Checklist.
#[derive(Debug, Clone, Copy)]
pub struct EvidenceFile {
    /// Its path below the evidence folder.
    pub path: &'static str,
    /// Whether it is there only when the run stopped.
    pub only_on_stop: bool,
}

const fn always(path: &'static str) -> EvidenceFile {
    EvidenceFile { path, only_on_stop: false }
}

const fn on_stop(path: &'static str) -> EvidenceFile {
    EvidenceFile { path, only_on_stop: true }
}

/// The runbook's Evidence Checklist.
pub const EVIDENCE_FILES: &[EvidenceFile] = &[
    always("manifest.json"),
    always("preflight/versions.txt"),
    always("preflight/target.txt"),
    always("deploy/cmd.txt"),
    always("deploy/stdout.log"),
    always("deploy/stderr.log"),
    always("deploy/status_before.txt"),
    always("deploy/status_after.txt"),
    always("smoke/cmd.txt"),
    always("smoke/results.json"),
    always("smoke/http_samples.log"),
    on_stop("dump_logs/k8s_describe.txt"),
    on_stop("dump_logs/k8s_events.txt"),
    on_stop("dump_logs/app_logs_tail.txt"),
];
