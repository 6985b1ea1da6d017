//! The grammar of each input: a function from the text to the value that the run uses, or to an error
//! message.
//!
//! No value that a grammar accepts has to be escaped in `sed`, in a path or in a header.

use url::Url;

use super::refused::shown;

type Checked = Result<String, String>;

/// Checks a context name, which has no grammar in a kubeconfig: any printable text that can be passed as an
/// argument.
pub(super) fn context(text: &str) -> Checked {
    at_most(253, text, "a context's name")?;
    if let Some(c) = text.chars().find(|&c| !is_printable(c)) {
        return Err(format!("{c:?} is not printable"));
    }
    // The runbook passes it to `kubectl config use-context` as a separate argument.
    if text.starts_with('-') {
        return Err("kubectl would read a name that begins with `-` as an option".into());
    }
    Ok(text.into())
}

/// Checks a namespace: a DNS-1123 label, as Kubernetes requires.
pub(super) fn namespace(text: &str) -> Checked {
    at_most(63, text, "a namespace")?;
    let is_letter_or_digit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    only(text, |c| is_letter_or_digit(c) || c == '-', "a namespace has lower-case letters, digits and `-`")?;
    if text.starts_with('-') || text.ends_with('-') {
        return Err("a namespace begins and ends with a letter or a digit".into());
    }
    Ok(text.into())
}

pub(super) fn account(text: &str) -> Checked {
    only(text, |c| c.is_ascii_digit(), "an account has digits")?;
    match text.len() {
        12 => Ok(text.into()),
        length => Err(format!("an account has 12 digits (this has {length})")),
    }
}

pub(super) fn region(text: &str) -> Checked {
    let is_word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [country, words @ .., number]
            if country.len() == 2
                && is_word(country)
                && !words.is_empty()
                && words.iter().all(is_word)
                && is_number(number) =>
        {
            Ok(text.into())
        }
        _ => Err("a region is two letters, one word or more, and a number, joined by `-`".into()),
    }
}

/// Checks a tag by the grammar of the OCI distribution specification.
pub(super) fn tag(text: &str) -> Checked {
    at_most(128, text, "a tag")?;
    let is_tag_char = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    only(text, is_tag_char, "a tag has letters, digits, `_`, `.` and `-`")?;
    if text.starts_with(['.', '-']) {
        return Err("a tag begins with a letter, a digit or `_`".into());
    }
    Ok(text.into())
}

/// Checks a list of names of environment variables, separated by `,`.
pub(super) fn names(text: &str) -> Checked {
    at_most(4096, text, "the list")?;
    for name in text.split(',') {
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("{name:?} is not the name of a variable; separate the names by `,` only"));
        }
    }
    Ok(text.into())
}

/// Checks an API key; an error message contains no character of the key.
pub(super) fn api_key(text: &str) -> Checked {
    at_most(4096, text, "a key")?;
    if let Some(at) = text.chars().position(|c| !c.is_ascii_graphic()) {
        return Err(format!("a key is printable ASCII without spaces (character {} is not)", at + 1));
    }
    match text.len() {
        0..8 => Err(format!("a key has at least 8 characters (this has {})", text.len())),
        _ => Ok(text.into()),
    }
}

/// Checks a base URL, which neither the URL standard nor curl may normalize to a different text.
pub(super) fn base_url(text: &str) -> Checked {
    at_most(2000, text, "a base URL")?;
    let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = after_scheme.ok_or("a base URL begins with http:// or https://")?;
    for (mark, what) in
        [('@', "a user name and password don't"), ('?', "a query doesn't"), ('#', "a fragment doesn't")]
    {
        if rest.contains(mark) {
            return Err(format!("{what} belong in it"));
        }
    }
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_letter_or_digit = |c: char| c.is_ascii_alphanumeric();
    only(
        host,
        |c| is_letter_or_digit(c) || "._-:[]".contains(c),
        "a host has letters, digits, `.`, `_` and `-`",
    )?;
    only(path, |c| is_letter_or_digit(c) || "._-~/".contains(c), "its path has letters, digits and `._-~/`")?;

    let typed = text.strip_suffix('/').unwrap_or(text);
    let url = Url::parse(typed).map_err(|error| format!("this is not a URL: {error}"))?;
    let plain = url.as_str().strip_suffix('/').unwrap_or(url.as_str());
    if plain != typed {
        return Err(format!("its plain form is {}", shown(plain)));
    }
    Ok(typed.into())
}

fn at_most(limit: usize, text: &str, what: &str) -> Result<(), String> {
    match text.len() {
        length if length > limit => Err(format!("{what} has at most {limit} bytes (this has {length})")),
        _ => Ok(()),
    }
}

fn only(text: &str, allowed: impl Fn(char) -> bool, rule: &str) -> Result<(), String> {
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(format!("{rule} alone, not {c:?}")),
        None => Ok(()),
    }
}

/// Returns whether Rust's `Debug` prints a character unchanged.
///
/// This excludes control characters, blanks other than a space, and marks that change or hide the adjacent
/// text.
fn is_printable(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().eq([c])
}
