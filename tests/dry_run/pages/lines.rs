//! The difference between two texts, line by line. The second text can be read back from the first and the difference.
//!
//! | line | means |
//! | --- | --- |
//! | `-line` | only in the base; `(- 12 lines: "first" to "last")`: a run of them |
//! | `+line` | not in the base |
//! | ` line` | in both: where the lines that follow belong |
//! | `…` | lines of both are left out between two removals |
//!
//! What is in both is left out: the first place from the one before on where the lines fit is the one that is meant.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Longer runs of lines that only the base has are one line.
const RUN: usize = 4;

const SKIP: &str = "…";

/// A place where the texts differ: which lines of the base are replaced, and by which lines.
struct Hunk<'t> {
    at: usize,
    removed: &'t [&'t str],
    added: &'t [&'t str],
}

/// A run of removed lines in one line.
fn run_of(removed: &[&str]) -> String {
    let [first, .., last] = removed else { panic!("no run: {removed:?}") };
    format!("(- {} lines: {first:?} to {last:?})", removed.len())
}

fn hunks<'t>(base: &'t [&'t str], text: &'t [&'t str]) -> Vec<Hunk<'t>> {
    let operations = capture_diff_slices(Algorithm::Patience, base, text);
    let different = operations.chunk_by(|one, next| is_equal(one) == is_equal(next));
    let different = different.filter(|group| !is_equal(&group[0]));
    let hunk = |group: &[DiffOp]| {
        let (first, last) = (&group[0], &group[group.len() - 1]);
        Hunk {
            at: first.old_range().start,
            removed: &base[first.old_range().start..last.old_range().end],
            added: &text[first.new_range().start..last.new_range().end],
        }
    };
    different.map(hunk).collect()
}

fn is_equal(operation: &DiffOp) -> bool {
    matches!(operation, DiffOp::Equal { .. })
}

/// Returns what differs, with as many lines of both before it as tell where it is.
pub(super) fn difference(base: &str, text: &str) -> String {
    let (base, text): (Vec<&str>, Vec<&str>) = (base.split('\n').collect(), text.split('\n').collect());
    let (mut out, mut from) = (Vec::<String>::new(), 0);
    for hunk in hunks(&base, &text) {
        let mut changes: Vec<String> = if hunk.removed.len() > RUN {
            vec![run_of(hunk.removed)]
        } else {
            hunk.removed.iter().map(|line| format!("-{line}")).collect()
        };
        changes.extend(hunk.added.iter().map(|line| format!("+{line}")));
        let gap = hunk.at - from;
        let with_context = |lines: usize| {
            let context = base[hunk.at - lines..hunk.at].iter().map(|line| format!(" {line}"));
            context.chain(changes.iter().cloned()).collect::<Vec<_>>()
        };
        let tells = |lines: &usize| {
            let found = find(&base, from, &with_context(*lines)) == Some(hunk.at - lines);
            *lines == gap || found && (*lines > 0 || !hunk.removed.is_empty())
        };
        let context = (0..=gap).find(tells).unwrap();
        if context < gap && out.last().is_some_and(|line| !line.starts_with('+')) {
            out.push(SKIP.to_owned());
        }
        out.extend(with_context(context));
        from = hunk.at + hunk.removed.len();
    }
    out.join("\n")
}

/// How many lines of the base these lines of a difference cover at a place, if they fit there.
fn fits<S: AsRef<str>>(base: &[&str], at: usize, lines: &[S]) -> Option<usize> {
    let mut covered = 0;
    for line in lines {
        let rest = &base[at + covered..];
        let line = line.as_ref();
        covered += match line.split_at_checked(1)? {
            ("+", _) => 0,
            (" " | "-", expected) if rest.first() == Some(&expected) => 1,
            ("(", run) => {
                let length = run.strip_prefix("- ")?.split(' ').next()?.parse().ok()?;
                let removed = rest.get(..length)?;
                (run_of(removed) == line).then_some(length)?
            }
            _ => return None,
        };
    }
    Some(covered)
}

/// The first place from here on where these lines of a difference fit.
fn find<S: AsRef<str>>(base: &[&str], from: usize, lines: &[S]) -> Option<usize> {
    (from..=base.len()).find(|at| fits(base, *at, lines).is_some())
}

/// The lines of a difference that belong to one place each.
fn groups<'t, 'l>(lines: &'l [&'t str]) -> impl Iterator<Item = &'l [&'t str]> {
    let parts = lines.split(|line| *line == SKIP);
    parts.flat_map(|part| part.chunk_by(|one, next| !one.starts_with('+') || next.starts_with('+')))
}

/// Reads the text back from the base and the difference.
pub(super) fn applied(base: &str, difference: &str) -> Option<String> {
    let base: Vec<&str> = base.split('\n').collect();
    let lines: Vec<&str> = difference.split('\n').filter(|line| !line.is_empty()).collect();
    let (mut text, mut from) = (Vec::new(), 0);
    for group in groups(&lines) {
        let at = find(&base, from, group)?;
        text.extend_from_slice(&base[from..at]);
        text.extend(group.iter().filter_map(|line| line.strip_prefix([' ', '+'])));
        from = at + fits(&base, at, group)?;
    }
    text.extend_from_slice(&base[from..]);
    Some(text.join("\n"))
}

#[test]
fn a_text_is_read_back_from_the_base_and_the_difference() {
    let base = "a\nb\n}\nc\nd\n}\ne\nf\ng\nh\ni\n}\nj";
    for text in [
        "a\nb\n}\nc\nd\n}\nnew\ne\nf\ng\nh\ni\n}\nj",
        "new\na\nb\n}\nc\nd\n}\nj",
        "a\nb\n}\nc\nd\n}\ne\nf\ng\nh\ni\n}\nnew\nj",
        "j",
        "nothing\nof\nit",
        "",
        "a\nb\n}\nc\nd\n}\ne\nf\ng\nh\ni\n}\nj\n",
    ] {
        let difference = difference(base, text);
        assert_eq!(applied(base, &difference).as_deref(), Some(text), "{difference}");
    }
    let after_the_third = difference(base, "a\nb\n}\nc\nd\n}\ne\nf\ng\nh\ni\n}\nnew\nj");
    assert_eq!(after_the_third, " i\n }\n+new");
    assert_eq!(difference(base, "a\nb\nj"), "(- 10 lines: \"}\" to \"}\")");
}
