/// How many of the ten checks must pass, or stop rule 4 fires.
pub const SMOKE_THRESHOLD: usize = 8;

/// One of the ten smoke checks (the runbook's Smoke Test Definition).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The runbook's number, from 1.
    pub number: u8,
    /// The path asked for with GET.
    pub path: &'static str,
    /// The statuses that pass without an API key.
    pub accepts: &'static [&'static str],
    /// The statuses that pass when the key was sent; empty: the key is not sent to this path.
    pub accepts_with_key: &'static [&'static str],
    /// The variable that holds the host it is asked of.
    pub base: &'static str,
    /// The runbook's note.
    pub note: &'static str,
}

const fn expects_200(number: u8, path: &'static str, note: &'static str) -> Check {
    Check { number, path, accepts: &["200"], accepts_with_key: &[], base: "STAGING_BASE_URL", note }
}

/// The ten checks, in the runbook's order.
pub const CHECKS: &[Check] = &[
    expects_200(1, "/health", "Always returns healthy (basic liveness)"),
    expects_200(2, "/readyz", "Dependency check (503 if down)"),
    expects_200(3, "/.well-known/openapi.json", "OpenAPI spec"),
    expects_200(4, "/llms.txt", "AI tooling documentation"),
    expects_200(5, "/api-docs", "Swagger UI (HTML)"),
    expects_200(6, "/redoc", "ReDoc (HTML)"),
    Check { base: "STAGING_METRICS_URL", ..expects_200(7, "/metrics", "Prometheus metrics (port 9090)") },
    expects_200(8, "/pricing/ssot.json", "Pricing SSOT"),
    expects_200(9, "/docs/quickstart.md", "Quickstart doc"),
    Check {
        accepts: &["401"],
        accepts_with_key: &["200"],
        ..expects_200(10, "/v1/runs", "401 if no auth, 200 if valid API key")
    },
];

/// The id of the check with this number: `check.01`.
pub fn check_id(number: u8) -> String {
    format!("check.{number:02}")
}

impl Check {
    /// The id of its command and of its row: `check.01`.
    pub fn id(&self) -> String {
        check_id(self.number)
    }

    /// The one with this number.
    pub fn numbered(number: u8) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.number == number)
    }

    /// Whether the API key is sent with it, if there is one.
    pub fn takes_key(&self) -> bool {
        !self.accepts_with_key.is_empty()
    }

    /// The statuses that pass, with or without a key.
    pub fn accepted(&self, with_key: bool) -> &'static [&'static str] {
        if with_key && self.takes_key() { self.accepts_with_key } else { self.accepts }
    }

    /// The name in `smoke/results.json`; that of check 10 says when no key was sent.
    pub fn name(&self, with_key: bool) -> String {
        let suffix = if self.takes_key() && !with_key { " (unauthenticated)" } else { "" };
        format!("GET {}{suffix}", self.path)
    }

    /// The name of the file its answer is kept in: `01-health.http`.
    pub fn file_name(&self) -> String {
        let name: String =
            self.path.trim_start_matches(['/', '.']).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!("{:02}-{name}.http", self.number)
    }
}

/// A success criterion about the body of an answer, decided by `jq -e` on the recorded answer.
#[derive(Debug, Clone, Copy)]
pub struct BodyCheck {
    /// The id of its command, `body.health`.
    pub id: &'static str,
    /// The criterion it decides.
    pub criterion: &'static str,
    /// The check whose answer is read.
    pub check: u8,
    /// Whether it compares the version, which the tag `latest` does not tell.
    pub needs_version: bool,
}

/// The two criteria about bodies.
pub const BODY_CHECKS: &[BodyCheck] = &[
    BodyCheck { id: "body.health", criterion: "health-body", check: 1, needs_version: true },
    BodyCheck { id: "body.readyz", criterion: "readyz-body", check: 2, needs_version: false },
];

/// A group of paths whose latency the runbook gives a limit for (informational).
#[derive(Debug, Clone, Copy)]
pub struct LatencyGroup {
    /// The id of the command that samples it.
    pub id: &'static str,
    /// Its name on the screen.
    pub name: &'static str,
    /// The limit for the 95th percentile, in ms.
    pub limit_ms: u64,
}

/// The runbook's Latency Threshold.
pub const LATENCY_GROUPS: &[LatencyGroup] = &[
    LatencyGroup { id: "latency.health", name: "health, readyz", limit_ms: 500 },
    LatencyGroup { id: "latency.docs", name: "openapi, docs", limit_ms: 1000 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_the_runbooks_table() {
        let table = super::super::document::section("### Test Suite (10 Checks)").unwrap();
        let rows: Vec<Vec<&str>> = table
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| #"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), CHECKS.len());
        for (row, check) in rows.iter().zip(CHECKS) {
            assert_eq!(row[0], check.number.to_string());
            assert_eq!(row[1], "GET");
            assert_eq!(row[2], check.path);
            let statuses: Vec<&str> = check.accepts.iter().chain(check.accepts_with_key).copied().collect();
            assert_eq!(row[3], statuses.join(" or "));
            assert_eq!(row[4], check.note);
        }
    }

    #[test]
    fn latency_limits_are_the_runbooks() {
        for group in LATENCY_GROUPS {
            let words = format!("p95 < {}ms for {}", group.limit_ms, group.name.replace(", ", "/"));
            assert!(super::super::document::TEXT.contains(&words), "{words}");
        }
    }

    #[test]
    fn answers_are_kept_under_speaking_names() {
        assert_eq!(CHECKS[0].file_name(), "01-health.http");
        assert_eq!(CHECKS[2].file_name(), "03-well-known-openapi-json.http");
        assert_eq!(CHECKS[9].name(false), "GET /v1/runs (unauthenticated)");
    }
}
