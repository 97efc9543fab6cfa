//! Configurations of push notifications. In 0.3 they are in an object beside the id of the task, and have several schemes of
//! authentication, of which 1.0 has one.

use serde_json::{Value, json};

use crate::v03::TranslationError;
use crate::v03::json::{Object, change, take, take_text};

pub(super) fn config_of_task_to_v1(fields: &mut Object) -> Result<(), TranslationError> {
    let Some(Value::Object(mut config)) = take(fields, "pushNotificationConfig") else {
        return Err(TranslationError::Field { what: "parameters", field: "pushNotificationConfig" });
    };
    config_to_v1(&mut config)?;
    fields.extend(config);
    Ok(())
}

pub(super) fn config_to_v1(config: &mut Object) -> Result<(), TranslationError> {
    change(config, "authentication", "push notification configuration", |authentication| {
        let schemes = take(authentication, "schemes");
        let scheme = schemes.as_ref().and_then(|schemes| schemes.get(0)).and_then(Value::as_str).unwrap_or_default();
        authentication.insert("scheme".to_owned(), scheme.into());
        Ok(())
    })
}

pub(super) fn config_of_task_to_v03(fields: &mut Object) -> Result<(), TranslationError> {
    let mut config = std::mem::take(fields);
    fields.insert("taskId".to_owned(), take(&mut config, "taskId").unwrap_or_else(|| "".into()));
    config.remove("tenant");
    change(&mut config, "authentication", "push notification configuration", |authentication| {
        let scheme = take_text(authentication, "scheme");
        authentication.insert("schemes".to_owned(), json!(scheme.as_slice()));
        Ok(())
    })?;
    fields.insert("pushNotificationConfig".to_owned(), Value::Object(config));
    Ok(())
}
