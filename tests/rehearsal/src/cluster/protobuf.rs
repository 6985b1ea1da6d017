//! As much protobuf as kubectl sends: newer ones write their reviews in it, whatever they read.

use serde_json::{Value, json};

/// What stands before every Kubernetes object in protobuf.
const MAGIC: &[u8] = b"k8s\0";

/// The media type of an `OpenAPI` v2 document, which clients take in protobuf only.
pub(crate) const OPENAPI_V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A document of `OpenAPI` v2 without definitions: `swagger: "2.0"`. kubectl then uses the types it has built in.
pub(crate) const OPENAPI_V2_EMPTY: &[u8] = b"\x0a\x032.0";

/// The review that this is, as JSON.
pub(crate) fn review(bytes: &[u8]) -> Option<Value> {
    let envelope = bytes.strip_prefix(MAGIC)?;
    let types = field(envelope, 1)?;
    let (api_version, kind) = (text(types, 1), text(types, 2));
    let mut review = json!({"apiVersion": api_version, "kind": kind, "metadata": {}});
    let spec = field(envelope, 2).and_then(|raw| field(raw, 2));
    if let Some(attributes) =
        spec.and_then(|spec| field(spec, 1)).filter(|_| kind == "SelfSubjectAccessReview")
    {
        let names = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
        for (number, name) in (1..).zip(names) {
            review["spec"]["resourceAttributes"][name] = json!(text(attributes, number));
        }
    }
    Some(review)
}

fn text(message: &[u8], number: u64) -> String {
    field(message, number).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

/// The first length-delimited field of this number.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        let (value, rest) = match tag & 7 {
            0 => (&message[..0], varint(rest)?.1),
            1 => (&message[..0], rest.get(8..)?),
            2 => {
                let (length, rest) = varint(rest)?;
                rest.split_at_checked(usize::try_from(length).ok()?)?
            }
            5 => (&message[..0], rest.get(4..)?),
            _ => return None,
        };
        if tag >> 3 == number {
            return Some(value);
        }
        message = rest;
    }
    None
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}
