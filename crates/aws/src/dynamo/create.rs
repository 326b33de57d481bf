//! Making the table where no deployment does.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use pitpet_pipeline::ports::TableError;

use super::convert::{PK, SK};
use crate::attempts::{Attempts, Repeat};
use crate::failure::Failure;

fn schema() -> Result<(Vec<KeySchemaElement>, Vec<AttributeDefinition>), BuildError> {
    let mut keys = Vec::new();
    let mut definitions = Vec::new();
    for (name, kind) in [(PK, KeyType::Hash), (SK, KeyType::Range)] {
        keys.push(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?);
        let text = ScalarAttributeType::S;
        definitions.push(AttributeDefinition::builder().attribute_name(name).attribute_type(text).build()?);
    }
    Ok((keys, definitions))
}

/// Makes the table, on demand, unless it is there.
pub(crate) async fn table(client: &Client, name: &str, attempts: &Attempts) -> Result<(), TableError> {
    let (keys, definitions) = schema().map_err(|missing| Failure::Refused(missing.to_string()))?;
    attempts
        .run(Repeat::Harmless, async || {
            let made = client
                .create_table()
                .table_name(name)
                .set_key_schema(Some(keys.clone()))
                .set_attribute_definitions(Some(definitions.clone()))
                .billing_mode(BillingMode::PayPerRequest)
                .send()
                .await;
            match made {
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(CreateTableError::is_resource_in_use_exception) =>
                {
                    Ok(())
                }
                other => other.map(drop).map_err(Failure::of),
            }
        })
        .await?;
    Ok(())
}
