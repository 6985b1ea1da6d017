//! Text that follows from the rest of a page: left out of what is compared, and put back to check that.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::values::{laid_out, parsed};

/// In the place of the list of files that the page begins with.
const THE_LIST: &str = "(the list of files)";

const SUMS: &str = "(a sum for each file)";

/// The files of the list that are summed, and listed in the journal.
fn listed(list: &str) -> Vec<&str> {
    let files = list.lines().filter_map(|line| Some(line.split_once(' ')?.1));
    files.filter(|file| !["SHA256SUMS", "attestation.json"].contains(file)).collect()
}

fn sums(list: &str) -> String {
    listed(list).iter().map(|file| format!("<sha256>  {file}")).collect::<Vec<_>>().join("\n")
}

/// The commands that the journal tells of, by their id, in their order.
fn commands(journal: &Value) -> BTreeMap<String, VecDeque<Value>> {
    let mut commands: BTreeMap<String, VecDeque<Value>> = BTreeMap::new();
    for event in journal.as_array().unwrap() {
        let (Some(fields), Some(id)) = (event.as_object(), event["id"].as_str()) else { continue };
        let of_command = fields.iter().filter(|(key, _)| !["at", "event"].contains(&key.as_str()));
        let of_command = of_command.map(|(key, value)| (key.clone(), value.clone()));
        let of_id = commands.entry(id.to_owned()).or_default();
        match event["event"].as_str() {
            Some("command-starts") => of_id.push_back(Value::Object(of_command.collect())),
            Some("command-ended") => {
                if let Some(Value::Object(command)) =
                    of_id.iter_mut().find(|command| command["started"].is_null())
                {
                    command.extend(of_command);
                }
            }
            _ => {}
        }
    }
    commands
}

/// Whether two values have the same fields in the same order.
fn is_the_same(one: &Value, other: &Value) -> bool {
    let [one, other] = [one, other].map(Value::to_string);
    one == other
}

/// The text of a file without what follows from the list of files and from the journal.
pub(super) fn without_derived(file: &str, text: &str, list: &str, journal: &str) -> String {
    if file == "SHA256SUMS" && text == sums(list) {
        return SUMS.to_owned();
    }
    let (Some((mut values, layout)), true) =
        (parsed(text), ["journal.jsonl", "manifest.json"].contains(&file))
    else {
        return text.to_owned();
    };
    for value in values.as_array_mut().unwrap() {
        if value["event"] == "files-listed" && value["files"] == Value::from(listed(list)) {
            value["files"] = THE_LIST.into();
        }
        if file == "manifest.json" {
            let mut of_journal = parsed(journal).map(|(events, _)| commands(&events)).unwrap_or_default();
            for command in value["commands"].as_array_mut().into_iter().flatten() {
                let next = command["id"].as_str().and_then(|id| of_journal.get_mut(id)?.pop_front());
                if next.is_some_and(|next| is_the_same(&next, command)) {
                    *command = command["id"].take();
                }
            }
        }
    }
    laid_out(&values, layout)
}

/// The text of a file with what follows from the list of files and from the journal.
pub(super) fn with_derived(file: &str, text: &str, list: &str, journal: &str) -> String {
    if text == SUMS {
        return sums(list);
    }
    let (Some((mut values, layout)), true) =
        (parsed(text), ["journal.jsonl", "manifest.json"].contains(&file))
    else {
        return text.to_owned();
    };
    for value in values.as_array_mut().unwrap() {
        if value["files"] == THE_LIST {
            value["files"] = listed(list).into();
        }
        if file == "manifest.json" {
            let mut of_journal = parsed(journal).map(|(events, _)| commands(&events)).unwrap_or_default();
            for command in value["commands"].as_array_mut().into_iter().flatten() {
                let id = command.as_str().or(command["id"].as_str()).unwrap_or_default();
                let next = of_journal.get_mut(id).and_then(VecDeque::pop_front);
                if command.is_string() {
                    *command = next.unwrap_or_default();
                }
            }
        }
    }
    laid_out(&values, layout)
}
