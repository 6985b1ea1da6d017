//! The difference between two JSON files, value by value. The second file can be read back, to the byte, from the first
//! and the difference.
//!
//! | line | means |
//! | --- | --- |
//! | `~ PATH: OLD → NEW` | another value; of a long text the part that differs, and where it begins; of lines, those |
//! | `~ PATH \| PATH: OLD → NEW \| …` | some of its values |
//! | `= PATH: NEW` | another value, in the place of a long one, or one of which much differs |
//! | `- PATH` | only in the base; `- PATH … NAME (12)`: and all up to that one |
//! | `+ PATH (after NAME): VALUE` | not in the base |
//! | `+ PATH (after NAME) like OTHER:` | not in the base; as that one of it, with what differs below |
//!
//! What `kubectl describe` prints is read as a list of objects with their text. An element of a list goes by what identifies it (`[command-ended rollout.api]`), a second one of that name by `#2`.

mod difference;
mod read_back;

use serde_json::Value;

/// A list of plain values that is no longer than this is shown as one value.
const SHORT: usize = 80;

/// A value that is longer than this is shown as several lines.
const WIDTH: usize = 300;

/// Behind the name of an element that the base has elsewhere.
const MOVED: &str = " moved";

/// Between the changes of one element, in its line.
const AND: &str = " | ";

/// The fields that identify an element of a list, the best first.
const IDENTITIES: [&str; 10] =
    ["id", "name", "/metadata/name", "file", "container", "service", "pod", "type", "step", "namespace"];

const BETWEEN_DESCRIBED: &str = "\n\n\n";
/// How the values of a file are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::pages) enum Layout {
    /// A value a line.
    Lines,
    /// With as many spaces for each level.
    Indented(&'static str),
    /// As `kubectl describe` does.
    Described,
}

/// The values of a file, and how they are laid out.
pub(in crate::pages) type Parsed = (Value, Layout);

/// Puts quotes around what a filter has put in the place of a value that is no text: `<time>`.
fn with_words_quoted(text: &str) -> String {
    let (mut out, mut in_text, mut escaped, mut in_word) = (String::new(), false, false, false);
    for character in text.chars() {
        if character == '<' && !in_text {
            in_word = true;
            out += "\"\\u0001";
        }
        out.push(character);
        if in_word {
            if character == '>' {
                in_word = false;
                out.push('"');
            }
            continue;
        }
        in_text ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    out
}

/// Takes these quotes away again.
fn with_words_bare(text: &str) -> String {
    let mut parts = text.split("\"\\u0001");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + &part.replacen(">\"", ">", 1))
}

fn compact(value: &Value) -> String {
    with_words_bare(&value.to_string())
}

fn parsed_value(text: &str) -> Option<Value> {
    serde_json::from_str(&with_words_quoted(text)).ok()
}

pub(in crate::pages) fn laid_out(values: &Value, layout: Layout) -> String {
    let one = |value: &Value| match layout {
        Layout::Lines => compact(value),
        Layout::Described => value["text"].as_str().unwrap().to_owned(),
        Layout::Indented(indent) => {
            let mut bytes = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
            serde::Serialize::serialize(value, &mut serializer).unwrap();
            with_words_bare(&String::from_utf8(bytes).unwrap())
        }
    };
    let texts: Vec<String> = values.as_array().unwrap().iter().map(one).collect();
    texts.join(if layout == Layout::Described { BETWEEN_DESCRIBED } else { "\n" })
}

/// The values of a file, if it is nothing but JSON that can be laid out again as it is.
pub(in crate::pages) fn parsed(text: &str) -> Option<Parsed> {
    if text.starts_with("Name: ") {
        let objects = text.split(BETWEEN_DESCRIBED).map(|text| {
            let name = text.lines().next()?.strip_prefix("Name:")?.trim();
            Some(serde_json::json!({"name": name, "text": text}))
        });
        return Some((Value::Array(objects.collect::<Option<_>>()?), Layout::Described));
    }
    let text_quoted = with_words_quoted(text);
    let values = serde_json::Deserializer::from_str(&text_quoted).into_iter::<Value>();
    let values = Value::Array(values.collect::<Result<_, _>>().ok()?);
    let layouts = [Layout::Lines, Layout::Indented("  "), Layout::Indented("    ")];
    let layout = layouts.into_iter().find(|layout| laid_out(&values, *layout) == text)?;
    values.as_array()?.iter().all(Value::is_object).then_some((values, layout))
}

/// A value whose parts have names.
#[derive(Clone, Debug)]
enum Node {
    Leaf(Value),
    Object(Vec<(String, Node)>),
    List(Vec<(String, Node)>),
}

impl Node {
    fn of(value: &Value) -> Node {
        match value {
            Value::Object(fields) => {
                Node::Object(fields.iter().map(|(key, field)| (format!(".{key}"), Node::of(field))).collect())
            }
            Value::Array(elements) if !is_short(elements) => {
                let mut names: Vec<String> = Vec::new();
                for element in elements {
                    let name = name_of(element);
                    let same = |other: &&String| **other == name || other.starts_with(&format!("{name} #"));
                    let before = names.iter().filter(same).count();
                    names.push(if before == 0 { name } else { format!("{name} #{}", before + 1) });
                }
                let names = names.into_iter().map(|name| format!("[{name}]"));
                Node::List(names.zip(elements.iter().map(Node::of)).collect())
            }
            leaf => Node::Leaf(leaf.clone()),
        }
    }

    fn value(&self) -> Value {
        match self {
            Node::Leaf(value) => value.clone(),
            Node::Object(fields) => {
                Value::Object(fields.iter().map(|(name, node)| (of_field(name), node.value())).collect())
            }
            Node::List(elements) => Value::Array(elements.iter().map(|(_, node)| node.value()).collect()),
        }
    }

    fn children(&self) -> &[(String, Node)] {
        match self {
            Node::Leaf(_) => &[],
            Node::Object(children) | Node::List(children) => children,
        }
    }

    fn children_mut(&mut self) -> Option<&mut Vec<(String, Node)>> {
        match self {
            Node::Leaf(_) => None,
            Node::Object(children) | Node::List(children) => Some(children),
        }
    }
}

fn of_field(name: &str) -> String {
    name.strip_suffix(MOVED).unwrap_or(name)[1..].to_owned()
}

fn is_short(elements: &[Value]) -> bool {
    elements.iter().all(|element| !element.is_object() && !element.is_array())
        && Value::from(elements).to_string().len() <= SHORT
}

/// What an element of a list is called.
fn name_of(element: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match element {
        Value::Object(fields) => {
            let kind = ["event", "kind"].iter().find_map(|field| plain(fields.get(*field)?));
            let identity = IDENTITIES.iter().find_map(|field| match field.strip_prefix('/') {
                Some(_) => plain(element.pointer(field)?),
                None => plain(fields.get(*field)?),
            });
            let words: Vec<String> = [kind, identity].into_iter().flatten().collect();
            words.join(" ")
        }
        Value::Array(elements) => elements.first().and_then(plain).unwrap_or_default(),
        other => compact(other),
    }
}
/// What is compared, and what else is known of the base.
struct Known<'n> {
    /// Lists of objects in which one that is like a new one may be, by the name of their file.
    models: &'n [(String, Node)],
}
/// Returns what differs between two JSON files, if they are JSON in one layout. Without a base, what differs from the
/// models.
pub(in crate::pages) fn difference(
    base: Option<&str>,
    text: &str,
    models: &[(String, &str)],
) -> Option<String> {
    let (text, layout) = parsed(text)?;
    let (base, layout_of_base) = parsed_base(base)?;
    if layout != layout_of_base {
        return None;
    }
    let models = nodes_of(models);
    let (base, text) = (root(&base), root(&text));
    let mut lines = Vec::new();
    let known = Known { models: &models };
    match (base.children(), text.children()) {
        ([(_, base)], [(_, text)]) => known.differences_of_parts(base, text, "", &mut lines),
        _ => known.differences_of_parts(&base, &text, "", &mut lines),
    }
    Some(lines.join("\n"))
}

/// Reads the file back from the base and the difference.
pub(in crate::pages) fn applied(
    base: Option<&str>,
    difference: &str,
    models: &[(String, &str)],
) -> Option<String> {
    let (base, layout) = parsed_base(base)?;
    let models = nodes_of(models);
    let base = root(&base);
    let mut node = base.clone();
    let lines: Vec<&str> = difference.split('\n').collect();
    let known = Known { models: &models };
    // The only value of a file has no name.
    if difference.get(2..)?.starts_with('.') {
        let only = &mut node.children_mut()?.first_mut()?.1;
        known.apply(&base.children()[0].1, only, &lines)?;
    } else {
        known.apply(&base, &mut node, &lines)?;
    }
    Some(laid_out(&node.value(), layout))
}

fn parsed_base(base: Option<&str>) -> Option<Parsed> {
    base.map_or(Some((Value::Array(Vec::new()), Layout::Lines)), parsed)
}

/// A list, however short: its elements are always shown one by one.
fn root(values: &Value) -> Node {
    match Node::of(values) {
        Node::Leaf(_) => Node::List(Vec::new()),
        list => list,
    }
}

fn nodes_of(models: &[(String, &str)]) -> Vec<(String, Node)> {
    let parsed = models.iter().filter_map(|(file, text)| Some((file.clone(), root(&parsed(text)?.0))));
    parsed.collect()
}

#[test]
fn a_file_is_read_back_from_the_base_and_the_difference() {
    let base = r#"{"id":"a","exit":[0],"took":<time>,"out":{"from":1,"to":2},"files":["one","two","three"],"text":"<moment>"}
{"id":"b","exit":[0],"took":<time>,"out":null,"files":[],"text":"x"}
{"id":"b","exit":[0],"took":<time>,"out":null,"files":[],"text":"y"}
{"id":"c","exit":[0],"took":<time>,"out":null,"files":[],"text":"y"}"#;
    let text = r#"{"id":"a","exit":[1],"took":<time>,"out":{"from":1,"to":3},"files":["one","two"],"text":"<moment>"}
{"id":"new","more":<time>}
{"id":"c","exit":[0],"took":<time>,"out":{"from":1},"files":[],"text":"a, <b> \"c\": <d>"}"#;
    let differs = difference(Some(base), text, &[]).unwrap();
    assert_eq!(applied(Some(base), &differs, &[]).as_deref(), Some(text), "{differs}");
    let expected = r#"~ [a] | .exit: [0] → [1] | .out.to: 2 → 3 | .files: ["one","two","three"] → ["one","two"]
- [b] … [b #2] (2)
+ [new] (after [a]): {"id":"new","more":<time>}
~ [c] | .out: null → {"from":1} | .text: "y" → "a, <b> \"c\": <d>""#;
    assert_eq!(differs, expected);
}
