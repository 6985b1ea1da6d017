//! What differs, as lines.

use std::fmt::Write as _;

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{AND, Known, MOVED, Node, SHORT, WIDTH, compact};
use crate::pages::lines;

/// A value as its page shows it: a line, or several whose later ones are indented.
fn shown(value: &Value) -> String {
    fn push(value: &Value, indent: usize, out: &mut String) {
        let line = compact(value);
        let pad = " ".repeat(indent + 2);
        let end = " ".repeat(indent);
        match value {
            _ if line.len() <= WIDTH => *out += &line,
            Value::Object(fields) => {
                *out += "{\n";
                for (index, (key, field)) in fields.iter().enumerate() {
                    let _ = write!(out, "{pad}{}: ", Value::from(key.as_str()));
                    push(field, indent + 2, out);
                    *out += if index + 1 < fields.len() { ",\n" } else { "\n" };
                }
                let _ = write!(out, "{end}}}");
            }
            Value::Array(elements) => {
                *out += "[\n";
                for (index, element) in elements.iter().enumerate() {
                    *out += &pad;
                    push(element, indent + 2, out);
                    *out += if index + 1 < elements.len() { ",\n" } else { "\n" };
                }
                let _ = write!(out, "{end}]");
            }
            _ => *out += &line,
        }
    }
    let mut out = String::new();
    push(value, 4, &mut out);
    out
}

/// Of two long texts the part that differs, with a few characters around it, and where it begins.
fn middle<'t>(old: &'t str, new: &'t str) -> (usize, &'t str, &'t str) {
    const AROUND: usize = 12;
    let common = old.chars().zip(new.chars()).take_while(|(one, other)| one == other);
    let from: usize = common.map(|(one, _)| one.len_utf8()).sum();
    let from = old[..from].char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    let (old, new) = (&old[from..], &new[from..]);
    let common = old.chars().rev().zip(new.chars().rev()).take_while(|(one, other)| one == other);
    let common: usize = common.map(|(one, _)| one.len_utf8()).sum();
    let end = &old[old.len() - common..];
    let kept = end.char_indices().nth(AROUND).map_or(0, |(at, _)| end.len() - at);
    (from, &old[..old.len() - kept], &new[..new.len() - kept])
}

fn changed(old: &Value, new: &Value) -> String {
    if let (Value::String(old), Value::String(new)) = (old, new) {
        if old.contains('\n') && new.contains('\n') {
            let differs = lines::difference(old, new);
            return differs.split('\n').fold(":".to_owned(), |out, line| out + "\n    " + line);
        }
        let (from, old_part, new_part) = middle(old, new);
        if old.len() > WIDTH && new.len() > WIDTH && old_part.len() + new_part.len() < old.len() {
            return format!(" at {from}: {} → {}", Value::from(old_part), Value::from(new_part));
        }
    }
    format!(": {} → {}", compact(old), shown(new))
}
impl Known<'_> {
    /// Adds what differs, below a path.
    fn differences(&self, old: &Node, new: &Node, path: &str, out: &mut Vec<String>) {
        let is_same_kind =
            matches!((old, new), (Node::Object(_), Node::Object(_)) | (Node::List(_), Node::List(_)));
        if !is_same_kind {
            let (old, new) = (old.value(), new.value());
            if old != new {
                let is_long_value = !old.is_string() && compact(&old).len() > SHORT && !path.is_empty();
                out.push(if is_long_value {
                    format!("= {path}: {}", shown(&new))
                } else {
                    format!("~ {path}{}", changed(&old, &new))
                });
            }
            return;
        }
        let mut parts = Vec::new();
        self.differences_of_parts(old, new, path, &mut parts);
        let length: usize = parts.iter().map(String::len).sum();
        if parts.len() > 2 && !path.is_empty() {
            let whole = compact(&new.value());
            if whole.len() < length.min(WIDTH) {
                parts = vec![format!("= {path}: {whole}")];
            }
        }
        if parts.len() > 1 && path.ends_with(']') && length < 2 * WIDTH {
            let changes = parts.iter().map(|line| line.strip_prefix("~ ")?.strip_prefix(path));
            if let Some(changes) = changes.collect::<Option<Vec<_>>>() {
                let line = format!("~ {path}{AND}{}", changes.join(AND));
                if !line.contains('\n') && line.matches(AND).count() == changes.len() {
                    parts = vec![line];
                }
            }
        }
        out.append(&mut parts);
    }

    pub(super) fn differences_of_parts(&self, old: &Node, new: &Node, path: &str, out: &mut Vec<String>) {
        let (olds, news) = (old.children(), new.children());
        let names_of =
            |children: &[(String, Node)]| children.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (old_names, new_names) = (names_of(olds), names_of(news));
        let operations = capture_diff_slices(Algorithm::Myers, &old_names, &new_names);
        let mut names = news.to_vec();
        for index in
            operations.iter().filter(|one| !matches!(one, DiffOp::Equal { .. })).flat_map(DiffOp::new_range)
        {
            if old_names.contains(&new_names[index]) {
                names[index].0 += MOVED;
            }
        }
        for operation in operations {
            let (of_old, of_new) = (&olds[operation.old_range()], &news[operation.new_range()]);
            if let DiffOp::Equal { .. } = operation {
                for ((name, old), (_, new)) in of_old.iter().zip(of_new) {
                    self.differences(old, new, &format!("{path}{name}"), out);
                }
                continue;
            }
            match of_old {
                [] => {}
                [(only, _)] => out.push(format!("- {path}{only}")),
                [(first, _), .., (last, _)] => {
                    out.push(format!("- {path}{first} … {last} ({})", of_old.len()));
                }
            }
            for index in operation.new_range() {
                self.added(old, &names, index, path, out);
            }
        }
    }

    fn added(&self, old: &Node, news: &[(String, Node)], index: usize, path: &str, out: &mut Vec<String>) {
        let (name, new) = &news[index];
        let place = match index.checked_sub(1) {
            None => "first".to_owned(),
            Some(before) => format!("after {}", news[before].0),
        };
        let head = format!("+ {path}{name} ({place})");
        let value = new.value();
        let whole = shown(&value);
        let is_long = whole.len() > 2 * WIDTH || whole.contains("\\n");
        let is_element = matches!(old, Node::List(_)) && value.is_object() && is_long;
        let like = if is_element { self.like(old, &news[..index], new) } else { None };
        match like.filter(|(_, lines)| lines.iter().map(String::len).sum::<usize>() * 3 < whole.len() * 2) {
            Some((model, lines)) => {
                out.push(format!("{head} like {model}:"));
                out.extend(lines.iter().flat_map(|text| text.split('\n')).map(|line| format!("    {line}")));
            }
            None if name[1..].starts_with(&whole) && !value.is_object() => out.push(head),
            None => out.push(format!("{head}: {whole}")),
        }
    }

    /// The element of the base, or of those before, that is most like a new one, and what differs.
    fn like(&self, old: &Node, before: &[(String, Node)], new: &Node) -> Option<(String, Vec<String>)> {
        let is_new = |(name, _): &&(String, Node)| old.children().iter().all(|(of_base, _)| of_base != name);
        let siblings = old.children().iter().chain(before.iter().filter(is_new));
        let siblings = siblings.map(|(name, node)| (name.clone(), node));
        let models = self.models.iter().flat_map(|(file, list)| {
            list.children().iter().map(move |(name, node)| (format!("{name} of {file}"), node))
        });
        let fields =
            |node: &Node| -> Vec<String> { node.children().iter().map(|(name, _)| name.clone()).collect() };
        let candidates = siblings.chain(models).filter(|(_, node)| fields(node) == fields(new));
        let compared = candidates.map(|(name, node)| {
            let mut lines = Vec::new();
            self.differences(node, new, "", &mut lines);
            (name, lines)
        });
        compared.min_by_key(|(_, lines)| lines.iter().map(String::len).sum::<usize>())
    }
}
