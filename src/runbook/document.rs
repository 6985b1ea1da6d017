//! The text of a runbook's document, and quotes from it.
//!
//! Quotes are slices of the text, so each has a line number.

use std::fmt;

/// The document that this program carries out unless another one is given.
pub const BUILT_IN: &str = include_str!("RUNBOOK.md");

/// The text of a runbook, in Markdown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    text: String,
}

impl Document {
    /// Returns the document with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the document's id, such as `DP-STAGING-DRY-RUN-v0.4`; `unknown` without one.
    pub fn id(&self) -> &str {
        self.text.lines().find_map(|line| line.strip_prefix("Doc ID: ")).unwrap_or("unknown").trim()
    }

    /// Returns a heading and its section, up to the next heading of the same or a higher rank.
    ///
    /// `heading` is the whole line of the heading, such as `### 2. Deploy to Staging`.
    pub fn section(&self, heading: &str) -> Option<&str> {
        self.section_where(|line| line == heading)
    }

    /// Returns a [`section`](Self::section) by the start of its heading, such as `### 2. `.
    pub fn section_starting(&self, start: &str) -> Option<&str> {
        self.section_where(|line| line.starts_with(start))
    }

    fn section_where(&self, is_heading: impl Fn(&str) -> bool) -> Option<&str> {
        let text = self.text.as_str();
        let line = |at: usize| text[at..].lines().next().unwrap_or_default();
        let (mut fenced, mut start) = (false, None);
        for at in line_starts(text) {
            let line = line(at);
            if line.starts_with("```") {
                fenced = !fenced;
            }
            match start {
                _ if fenced => {}
                None if is_heading(line) => start = Some((at, rank(line)?)),
                Some((from, above)) if line == "---" || rank(line).is_some_and(|rank| rank <= above) => {
                    return Some(text[from..at].trim_end());
                }
                _ => {}
            }
        }
        start.map(|(from, _)| text[from..].trim_end())
    }

    /// Returns the first part of a section that would hide or end its commands, with the reason.
    ///
    /// A reader of the page and this program must see the same commands. So the section ends only at the
    /// heading `next`, its code blocks are fenced by "```bash" and "```", and no HTML comment reaches into it.
    pub(super) fn hidden_in(&self, section: &str, next: &str) -> Option<(&str, String)> {
        let start = (section.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let (before, rest) = self.text.split_at_checked(start)?;
        let (section, after) = rest.split_at_checked(section.len())?;
        let in_comment = before.rfind("<!--").is_some_and(|at| !before[at..].contains("-->"));
        if in_comment {
            return Some((section, "the section begins inside an HTML comment".to_owned()));
        }
        if let Some(comment) = section.lines().find(|line| line.contains("<!--") || line.contains("-->")) {
            return Some((comment, "an HTML comment would hide a part of this section".to_owned()));
        }
        if let Some(fence) = unknown_fence(section) {
            return Some((fence, "a code block here must begin with ```bash and end with ```".to_owned()));
        }
        let end = after.trim_start();
        (!end.starts_with(next)).then(|| {
            (
                if end.is_empty() { section } else { end },
                format!("the section must end at the heading {next}…"),
            )
        })
    }

    /// Returns the first line that contains `words`, without its list marker.
    pub fn line_with(&self, words: &str) -> Option<&str> {
        self.text.lines().find(|line| line.contains(words)).map(item)
    }

    /// Returns the number of the line, from 1, in which a part of this document begins.
    pub fn line_number(&self, part: &str) -> Option<usize> {
        let at = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        Some(self.text.get(..at)?.matches('\n').count() + 1)
    }
}

/// Prints the id and the length only, since a document is long.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({:?}, {} bytes)", self.id(), self.text.len())
    }
}

/// Returns the `bash` code blocks of a section, in order.
pub(super) fn code_blocks(section: &str) -> impl Iterator<Item = &str> {
    section.split("```bash\n").skip(1).filter_map(|rest| rest.split("\n```").next())
}

/// Returns the first line that begins or ends a code block in another way than [`code_blocks`] reads.
fn unknown_fence(section: &str) -> Option<&str> {
    let (mut open, mut last) = (false, None);
    let is_fence = |line: &&str| ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence));
    for line in section.lines().filter(is_fence) {
        if line != if open { "```" } else { "```bash" } {
            return Some(line);
        }
        (open, last) = (!open, Some(line));
    }
    last.filter(|_| open)
}

/// Returns the items of the list after a line that begins with `label`, without their markers.
pub(super) fn list_after<'a>(section: &'a str, label: &str) -> Vec<&'a str> {
    let behind = section.lines().skip_while(|line| !line.starts_with(label)).skip(1);
    behind.take_while(|line| !line.is_empty()).map(item).collect()
}

/// Returns a line without its list marker: `- [ ] `, `- `, `1. `.
pub(super) fn item(line: &str) -> &str {
    let line = line.trim_start();
    let line = line.strip_prefix("- [ ] ").or_else(|| line.strip_prefix("- ")).unwrap_or(line);
    let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix(". ");
    unnumbered.unwrap_or(line)
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1))
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
        let document = Document::new(BUILT_IN);
        assert_eq!(document.id(), "DP-STAGING-DRY-RUN-v0.4");
        let rollout = document.section("### 3. Wait for Rollout").unwrap();
        assert!(rollout.ends_with("\"successfully rolled out\""), "{rollout}");
        assert_eq!(document.line_number(rollout), Some(106));
        assert_eq!(code_blocks(rollout).count(), 1);
        assert_eq!(document.section_starting("### 3. "), Some(rollout));
        assert!(
            document.section("## Step-by-Step Procedure").unwrap().contains("### 5. Execute Smoke Tests")
        );
        assert_eq!(
            document.line_with("CrashLoopBackOff` or `Error"),
            Some("Any pod in `CrashLoopBackOff` or `Error` state")
        );
        assert_eq!(document.line_with("10/10 checks PASS"), Some("10/10 checks PASS"));
    }

    #[test]
    fn a_heading_in_a_code_block_is_none() {
        let document = Document::new("## A\n```bash\n## B\n---\n```\nend\n## B\nrest");
        assert_eq!(document.section("## B"), Some("## B\nrest"));
        assert!(document.section("## A").unwrap().ends_with("end"));
    }
}
