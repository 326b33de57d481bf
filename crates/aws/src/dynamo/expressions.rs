//! An update, as DynamoDB's expressions with placeholders.
//!
//! Names are always placeholders, because DynamoDB reserves some 570 words, `hash` among them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use pitpet_pipeline::ports::{Condition, TableError, Update, Value};

use super::convert::{PK, RawItem, check_name, raw_key, raw_value, refused};

/// The parts of an `UpdateItem` call or of a transaction's `Update`.
#[derive(Clone, Debug)]
pub(crate) struct UpdateExpressions {
    pub(crate) key: RawItem,
    /// `SET … REMOVE …`; none if only the item itself is to be made.
    pub(crate) update: Option<String>,
    pub(crate) condition: String,
    pub(crate) names: HashMap<String, String>,
    /// Never empty when sent: DynamoDB refuses an empty map.
    pub(crate) values: Option<HashMap<String, AttributeValue>>,
}

/// Hands out a placeholder for each name and value.
#[derive(Default)]
struct Placeholders {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: &Value) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), raw_value(value));
        placeholder
    }
}

/// Writes an update's expressions.
///
/// # Errors
/// `Refused` for a bad key or attribute name, or one that is both set and removed.
pub(crate) fn of(update: &Update) -> Result<UpdateExpressions, TableError> {
    let key = raw_key(&update.key)?;
    let mut holders = Placeholders::default();

    let mut sets = Vec::with_capacity(update.set.len());
    for (name, value) in &update.set {
        check_name(name)?;
        let name = holders.name(name);
        sets.push(format!("{name} = {}", holders.value(value)));
    }
    let mut removes = Vec::with_capacity(update.remove.len());
    for name in &update.remove {
        check_name(name)?;
        if update.set.contains_key(*name) {
            return Err(refused(format!("attribute {name} is both set and removed")));
        }
        removes.push(holders.name(name));
    }
    let clauses = [("SET", sets), ("REMOVE", removes)]
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(verb, parts)| format!("{verb} {}", parts.join(", ")))
        .collect::<Vec<_>>()
        .join(" ");

    let condition = match &update.condition {
        Condition::Absent => format!("attribute_not_exists({})", holders.name(PK)),
        Condition::Equals(name, value) => {
            check_name(name)?;
            let name = holders.name(name);
            format!("{name} = {}", holders.value(value))
        }
        Condition::Below(name, bound) => {
            check_name(name)?;
            let name = holders.name(name);
            let bound = holders.value(&Value::Number(*bound));
            format!("attribute_not_exists({name}) OR {name} < {bound}")
        }
    };

    Ok(UpdateExpressions {
        key,
        update: (!clauses.is_empty()).then_some(clauses),
        condition,
        names: holders.names,
        values: (!holders.values.is_empty()).then_some(holders.values),
    })
}

#[cfg(test)]
mod tests {
    use pitpet_pipeline::ports::{Attributes, Key, Retry};

    use super::*;

    fn update(set: &[&str], remove: &[&'static str], condition: Condition) -> Update {
        Update {
            key: Key::new("p", "s"),
            set: set.iter().map(|name| ((*name).to_owned(), Value::Flag(true))).collect::<Attributes>(),
            remove: remove.to_vec(),
            condition,
            retry: Retry::Allowed,
        }
    }

    #[test]
    fn names_are_placeholders_in_every_clause() {
        let written = of(&update(&["hash", "size"], &["ttl"], Condition::Below("height", 7))).unwrap();
        assert_eq!(written.update.as_deref(), Some("SET #n0 = :v0, #n1 = :v1 REMOVE #n2"));
        assert_eq!(written.condition, "attribute_not_exists(#n3) OR #n3 < :v2");
        assert_eq!(written.names["#n3"], "height");
        assert_eq!(written.values.unwrap()[":v2"], AttributeValue::N("7".into()));
    }

    #[test]
    fn nothing_to_set_or_compare_leaves_both_parts_out() {
        let written = of(&update(&[], &[], Condition::Absent)).unwrap();
        assert_eq!((written.update, written.values), (None, None));
    }
}
