//! Between the port's values and DynamoDB's attribute values.
//!
//! Written out by hand: the port's [`Value`] has five kinds, and going through serde would lose
//! which of them a number or a byte string was meant to be.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use pitpet_pipeline::ports::{Attributes, Item, Key, TableError, Value};

/// The partition key's attribute name.
pub(crate) const PK: &str = "pk";
/// The sort key's attribute name.
pub(crate) const SK: &str = "sk";

/// Longest partition key, bytes: DynamoDB's limit.
const PK_BYTES_MAX: usize = 2_048;
/// Longest sort key, bytes: DynamoDB's limit.
const SK_BYTES_MAX: usize = 1_024;

/// An item as the SDK has it.
pub(crate) type RawItem = HashMap<String, AttributeValue>;

/// Makes `Refused`.
pub(crate) fn refused(message: impl Into<String>) -> TableError {
    TableError::Refused { message: message.into() }
}

/// Writes a value.
pub(crate) fn raw_value(value: &Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Value::Flag(flag) => AttributeValue::Bool(*flag),
        Value::List(values) => AttributeValue::L(values.iter().map(raw_value).collect()),
    }
}

/// Reads a value.
fn value(name: &str, raw: AttributeValue) -> Result<Value, TableError> {
    match raw {
        AttributeValue::S(text) => Ok(Value::Text(text)),
        AttributeValue::N(digits) => match digits.parse() {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => {
                Err(refused(format!("attribute {name} holds {digits}, not an unsigned 64-bit integer")))
            }
        },
        AttributeValue::B(bytes) => Ok(Value::Bytes(bytes.into_inner())),
        AttributeValue::Bool(flag) => Ok(Value::Flag(flag)),
        AttributeValue::L(values) => {
            Ok(Value::List(values.into_iter().map(|raw| value(name, raw)).collect::<Result<_, _>>()?))
        }
        _ => Err(refused(format!("attribute {name} is of a type that PitPet never stores"))),
    }
}

fn check_part(name: &str, part: &str, bytes_max: usize) -> Result<(), TableError> {
    if part.is_empty() || part.len() > bytes_max {
        return Err(refused(format!("{name} has {} bytes, not 1 to {bytes_max}", part.len())));
    }
    Ok(())
}

/// Says whether there can be a partition of this key.
pub(crate) fn check_partition(pk: &str) -> Result<(), TableError> {
    check_part(PK, pk, PK_BYTES_MAX)
}

/// Writes a key, if DynamoDB would take it.
pub(crate) fn raw_key(key: &Key) -> Result<RawItem, TableError> {
    check_partition(&key.pk)?;
    check_part(SK, &key.sk, SK_BYTES_MAX)?;
    Ok(HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.pk.clone())),
        (SK.to_owned(), AttributeValue::S(key.sk.clone())),
    ]))
}

/// Says whether an attribute may have this name: the key's own are taken.
pub(crate) fn check_name(name: &str) -> Result<(), TableError> {
    match name {
        "" => Err(refused("an attribute has an empty name")),
        PK | SK => Err(refused(format!("{name} is part of the key, not an attribute"))),
        _ => Ok(()),
    }
}

/// Writes a whole item.
pub(crate) fn raw_item(item: &Item) -> Result<RawItem, TableError> {
    let mut raw = raw_key(&item.key)?;
    for (name, value) in &item.attributes {
        check_name(name)?;
        raw.insert(name.clone(), raw_value(value));
    }
    Ok(raw)
}

/// Takes the key out of an item.
pub(crate) fn take_key(raw: &mut RawItem) -> Result<Key, TableError> {
    match (raw.remove(PK), raw.remove(SK)) {
        (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) => Ok(Key { pk, sk }),
        _ => Err(refused("the table's items are not keyed by text pk and sk")),
    }
}

/// Reads what is left of an item without its key.
pub(crate) fn attributes(raw: RawItem) -> Result<Attributes, TableError> {
    raw.into_iter()
        .map(|(name, raw)| {
            let value = value(&name, raw)?;
            Ok((name, value))
        })
        .collect()
}

/// Estimates what a value weighs towards DynamoDB's size limits, bytes, rounded up.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Number(_) => 21,
        Value::Bytes(bytes) => bytes.len(),
        Value::Flag(_) => 1,
        Value::List(values) => 3 + values.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
    }
}

/// Estimates what attributes with a key weigh towards DynamoDB's size limits, bytes, rounded up.
pub(crate) fn weight(key: &Key, attributes: &Attributes) -> usize {
    let attributes: usize = attributes.iter().map(|(name, value)| name.len() + value_bytes(value)).sum();
    PK.len() + key.pk.len() + SK.len() + key.sk.len() + attributes
}
