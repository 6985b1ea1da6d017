//! Small readers for JSON objects, and values derived from names so that every run gives the same ones.

use serde_json::{Map, Value};

/// The text at a pointer, or the empty text.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The whole number at a pointer, or 0.
pub(crate) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// The list at a pointer, or an empty one.
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The object at a pointer.
pub(crate) fn object<'v>(value: &'v Value, pointer: &str) -> Option<&'v Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

/// Sets a field if there is none.
pub(crate) fn default(value: &mut Value, key: &str, with: Value) {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    if let Some(map) = value.as_object_mut() {
        map.entry(key).or_insert(with);
    }
}

/// Whether every label of `selector` (a `matchLabels` map) is on the object.
pub(crate) fn labels_match(
    selector: Option<&Map<String, Value>>,
    labels: Option<&Map<String, Value>>,
) -> bool {
    selector.is_some_and(|selector| {
        !selector.is_empty()
            && selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    })
}

/// FNV-1a over 32 bits, the sum Kubernetes itself takes of a pod template.
pub(crate) fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn fnv64(bytes: &[u8], seed: u64) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// A UUID that depends on the name alone.
pub(crate) fn uid(name: &str) -> String {
    let high = fnv64(name.as_bytes(), 0x5bd1_e995);
    let low = fnv64(name.as_bytes(), 0x9747_b28c_0001);
    let hex = format!("{high:016x}{low:016x}");
    format!("{}-{}-4{}-a{}-{}", &hex[0..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// `rand.SafeEncodeString` of the number: the hash in a `ReplicaSet`'s name.
pub(crate) fn safe_encode(number: u32) -> String {
    number.to_string().bytes().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
}

/// Five letters that depend on the name alone: the end of a pod's name.
pub(crate) fn suffix(name: &str) -> String {
    let mut hash = fnv64(name.as_bytes(), 0x0fb1);
    (0..5)
        .map(|_| {
            let index = usize::try_from(hash % 27).unwrap_or(0);
            hash = (hash / 27) ^ hash.rotate_left(17);
            char::from(LETTERS[index])
        })
        .collect()
}
