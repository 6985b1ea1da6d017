//! A file from its base and the lines that differ.

use serde_json::Value;

use super::{AND, Known, MOVED, Node, compact, parsed_value};
use crate::pages::lines;

impl Known<'_> {
    /// Applies lines of a difference.
    pub(super) fn apply(&self, base: &Node, node: &mut Node, lines: &[&str]) -> Option<()> {
        let mut rest = lines;
        while let [line, following @ ..] = rest {
            let below = following.iter().take_while(|line| line.starts_with("    ")).count();
            let (below, next) = following.split_at(below);
            rest = next;
            match line.split_at_checked(2)? {
                ("~ ", change) => change_leaf(node, change, below)?,
                ("= ", whole) => {
                    let (place, _, rest) = walk(node, base, whole, ENDS);
                    let text = [&[rest.strip_prefix(": ")?], below].concat().join("\n");
                    *place = Node::of(&parsed_value(&text)?);
                }
                ("- ", removal) => remove(node, removal)?,
                ("+ ", addition) => self.add(base, node, addition, below)?,
                _ => return None,
            }
        }
        Some(())
    }

    fn add(&self, base: &Node, node: &mut Node, addition: &str, below: &[&str]) -> Option<()> {
        let (parent, base, rest) = walk(node, base, addition, &['.', '[']);
        let (name, rest) = rest.split_once(" (")?;
        let children = parent.children_mut()?;
        let (index, rest) = if let Some(rest) = rest.strip_prefix("first)") {
            (0, rest)
        } else {
            let rest = rest.strip_prefix("after ")?;
            let follows = |(index, (name, _)): (usize, &(String, Node))| {
                let rest = rest.strip_prefix(name.as_str())?.strip_prefix(')')?;
                (rest.is_empty() || rest.starts_with(": ") || rest.starts_with(" like "))
                    .then_some((index + 1, rest))
            };
            children.iter().enumerate().find_map(follows)?
        };
        let new = if let Some(model) = rest.strip_prefix(" like ") {
            let model = model.strip_suffix(':')?;
            let of_model = |(name, list): &(String, Node)| {
                let element = model.strip_suffix(&format!(" of {name}"))?;
                list.children().iter().find(|(name, _)| name == element).map(|(_, node)| node.clone())
            };
            let sibling = base.and_then(|base| base.children().iter().find(|(name, _)| name == model));
            let sibling = sibling.or(children.iter().find(|(name, _)| name == model));
            let mut new = match sibling {
                Some((_, node)) => node.clone(),
                None => self.models.iter().find_map(of_model)?,
            };
            let lines: Vec<&str> = below.iter().map(|line| &line[4..]).collect();
            let of_model = new.clone();
            self.apply(&of_model, &mut new, &lines)?;
            new
        } else if rest.is_empty() {
            let value = name.strip_suffix(MOVED).unwrap_or(name).strip_prefix('[')?.strip_suffix(']')?;
            Node::of(&parsed_value(value.rsplit_once(" #").map_or(value, |(value, _)| value))?)
        } else {
            let text = [&[rest.strip_prefix(": ")?], below].concat().join("\n");
            Node::of(&parsed_value(&text)?)
        };
        children.insert(index, (name.to_owned(), new));
        Some(())
    }
}
/// What may follow the name of a part in a path.
const ENDS: &[char] = &['.', '[', ':', ' '];

/// Follows a path as far as there is something; the rest of the text comes with it.
fn walk<'n, 'b, 't>(
    node: &'n mut Node,
    base: &'b Node,
    path: &'t str,
    ends: &[char],
) -> (&'n mut Node, Option<&'b Node>, &'t str) {
    let (mut node, mut base, mut rest) = (node, Some(base), path);
    loop {
        let longest = node
            .children()
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| {
                rest.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(ends))
            })
            .max_by_key(|(_, (name, _))| name.len());
        let Some((index, (name, _))) = longest else { return (node, base, rest) };
        base = base
            .and_then(|base| base.children().iter().find(|(of_base, _)| of_base == name))
            .map(|(_, node)| node);
        rest = &rest[name.len()..];
        node = &mut node.children_mut().unwrap()[index].1;
    }
}

fn change_leaf(node: &mut Node, change: &str, below: &[&str]) -> Option<()> {
    let same = node.clone();
    let (leaf, _, rest) = walk(node, &same, change, ENDS);
    if let Some(changes) = rest.strip_prefix(AND) {
        return changes.split(AND).try_for_each(|change| change_leaf(leaf, change, below));
    }
    let old = leaf.value();
    let text = [&[rest], below].concat().join("\n");
    let new = if text.starts_with(":\n") {
        let lines: Vec<&str> = below.iter().map(|line| &line[4..]).collect();
        Value::from(lines::applied(old.as_str()?, &lines.join("\n"))?)
    } else if let Some(rest) = text.strip_prefix(": ") {
        parsed_value(rest.strip_prefix(&compact(&old))?.strip_prefix(" → ")?)?
    } else {
        let (from, parts) = text.strip_prefix(" at ")?.split_once(": ")?;
        let from = from.parse().ok()?;
        let mut values = serde_json::Deserializer::from_str(parts).into_iter::<String>();
        let old_part = values.next()?.ok()?;
        let new_part: String =
            serde_json::from_str(parts.get(values.byte_offset()..)?.strip_prefix(" → ")?).ok()?;
        let old = old.as_str()?;
        let end = old.get(from..)?.strip_prefix(old_part.as_str())?;
        Value::from([&old[..from], &new_part, end].concat())
    };
    *leaf = Node::of(&new);
    Some(())
}

fn remove(node: &mut Node, removal: &str) -> Option<()> {
    let children = node.children_mut()?;
    let rest_after = |name: &str| {
        removal.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[', ' ']))
    };
    let named = children.iter().enumerate().filter(|(_, (name, _))| rest_after(name).is_some());
    let (index, (name, _)) = named.max_by_key(|(_, (name, _))| name.len())?;
    let rest = rest_after(name)?;
    let count = match rest.strip_prefix(" … ") {
        _ if rest.is_empty() => 1,
        None => return remove(&mut children[index].1, rest),
        Some(last) => last.rsplit_once(" (")?.1.strip_suffix(')')?.parse().ok()?,
    };
    (index + count <= children.len()).then(|| children.drain(index..index + count))?;
    Some(())
}
