//! The runbook's own document, compiled in, and how to quote it.

/// The whole of `RUNBOOK.md`.
pub const TEXT: &str = include_str!("RUNBOOK.md");

/// The document's id, e.g. `DP-STAGING-DRY-RUN-v0.4`.
pub fn id() -> &'static str {
    TEXT.lines().find_map(|line| line.strip_prefix("Doc ID: ")).unwrap_or("unknown").trim()
}

/// A heading and what stands under it, up to the next heading of the same or a higher rank.
///
/// `heading` is the heading's line as it stands, e.g. `### 2. Deploy to Staging`.
pub fn section(heading: &str) -> Option<&'static str> {
    let start = line_starts().find(|&at| TEXT[at..].lines().next() == Some(heading))?;
    let rank = rank(heading)?;
    let mut fenced = false;
    let mut end = TEXT.len();
    for at in line_starts().filter(|&at| at > start) {
        let line = TEXT[at..].lines().next().unwrap_or_default();
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && (line == "---" || self::rank(line).is_some_and(|other| other <= rank)) {
            end = at;
            break;
        }
    }
    Some(TEXT[start..end].trim_end())
}

/// The texts of the `bash` code blocks of a section, in their order.
pub fn code_blocks(section: &'static str) -> impl Iterator<Item = &'static str> {
    section.split("```bash\n").skip(1).filter_map(|rest| rest.split("\n```").next())
}

/// The one line of the document that holds `words`, without its list marker.
pub fn line_with(words: &str) -> Option<&'static str> {
    let line = TEXT.lines().find(|line| line.contains(words))?.trim_start();
    let line = line.strip_prefix("- [ ] ").unwrap_or(line);
    let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(". ");
    Some(unnumbered.unwrap_or(line))
}

fn line_starts() -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(TEXT.match_indices('\n').map(|(at, _)| at + 1))
}

fn rank(line: &str) -> Option<usize> {
    let hashes = line.len() - line.trim_start_matches('#').len();
    (hashes > 0 && line[hashes..].starts_with(' ')).then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_document() {
        assert_eq!(id(), "DP-STAGING-DRY-RUN-v0.4");
        let rollout = section("### 3. Wait for Rollout").unwrap();
        assert!(rollout.ends_with("\"successfully rolled out\""), "{rollout}");
        assert_eq!(code_blocks(rollout).count(), 1);
        assert!(section("## Step-by-Step Procedure").unwrap().contains("### 5. Execute Smoke Tests"));
        assert_eq!(
            line_with("CrashLoopBackOff` or `Error"),
            Some("Any pod in `CrashLoopBackOff` or `Error` state")
        );
        assert_eq!(line_with("10/10 checks PASS"), Some("10/10 checks PASS"));
    }
}
