//! Requests for push notification configurations.

use a2a::{
    DeleteTaskPushNotificationConfigRequest, GetTaskPushNotificationConfigRequest,
    ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse, TaskPushNotificationConfig,
};
use strands_http::Caller;
use uuid::Uuid;

use super::core::Core;
use super::failure::{Failure, quote};
use super::push::Push;
use super::store::PushConfig;

/// Maximum length of the id, the token, and the credentials of a configuration, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// Id of a configuration without one, if a client can set it again: of protocol 0.3, or in a message.
const UNNAMED: &str = "default";

impl Core {
    fn push(&self) -> Result<&Push, Failure> {
        self.push.as_ref().ok_or(Failure::PushNotSupported)
    }

    pub(super) async fn create_push_config(
        &self,
        caller: &Caller,
        config: TaskPushNotificationConfig,
        is_v03: bool,
    ) -> Result<TaskPushNotificationConfig, Failure> {
        let task_id = config.task_id.clone();
        self.push()?;
        // Others must not learn from the order of checks that the task exists.
        self.stored_task(caller, &task_id).await?;
        let id = if is_v03 { UNNAMED.to_owned() } else { Uuid::new_v4().to_string() };
        let config = self.accepted_push_config(&task_id, config, id)?;
        let shown = without_secrets(config.clone());
        self.change_push_configs(caller, &task_id, |configs| {
            self.add_push_config(configs, PushConfig { config: config.clone(), is_v03 })
        })
        .await?;
        Ok(shown)
    }

    /// Checks the configuration that a message has for its task. Without an id it is always the same one, so that a client which sends
    /// it with each message does not add another one each time.
    pub(super) fn push_config_of_message(
        &self,
        task_id: &str,
        config: TaskPushNotificationConfig,
    ) -> Result<TaskPushNotificationConfig, Failure> {
        self.accepted_push_config(task_id, config, UNNAMED.to_owned())
    }

    /// Checks a configuration for a task, and gives it an id if it has none.
    fn accepted_push_config(
        &self,
        task_id: &str,
        mut config: TaskPushNotificationConfig,
        new_id: String,
    ) -> Result<TaskPushNotificationConfig, Failure> {
        self.push()?.targets.check(&config.url).map_err(Failure::InvalidParams)?;
        let authentication = config.authentication.as_ref();
        let texts = [
            config.id.as_deref(),
            config.token.as_deref(),
            authentication.map(|authentication| authentication.scheme.as_str()),
            authentication.and_then(|authentication| authentication.credentials.as_deref()),
        ];
        let is_invalid =
            |text: &&str| text.len() > MAX_TEXT || text.chars().any(|char| char.is_control() || !char.is_ascii());
        if texts.iter().flatten().any(is_invalid) {
            return Err(Failure::InvalidParams(format!(
                "the id, token and credentials of a push notification configuration must be ASCII texts of up to {MAX_TEXT} bytes"
            )));
        }
        task_id.clone_into(&mut config.task_id);
        config.tenant = None;
        config.id = config.id.filter(|id| !id.is_empty()).or(Some(new_id));
        Ok(config)
    }

    /// Adds a configuration, in place of the one with the same id.
    pub(super) fn add_push_config(&self, configs: &mut Vec<PushConfig>, new: PushConfig) -> Result<(), Failure> {
        if let Some(known) = configs.iter_mut().find(|known| known.config.id == new.config.id) {
            *known = new;
            return Ok(());
        }
        if configs.len() >= self.limits.push_configs {
            return Err(Failure::InvalidParams(format!(
                "the task has {} push notification configurations already; delete one",
                configs.len()
            )));
        }
        configs.push(new);
        Ok(())
    }

    pub(super) async fn get_push_config(
        &self,
        caller: &Caller,
        request: GetTaskPushNotificationConfigRequest,
    ) -> Result<TaskPushNotificationConfig, Failure> {
        self.push()?;
        let configs = self.stored_task(caller, &request.task_id).await?.record.push;
        // A client of 0.3 may ask for the only one.
        let found =
            configs.into_iter().find(|known| request.id.is_empty() || known.config.id.as_ref() == Some(&request.id));
        found.map(|found| without_secrets(found.config)).ok_or_else(|| Failure::PushConfigNotFound(quote(&request.id)))
    }

    pub(super) async fn list_push_configs(
        &self,
        caller: &Caller,
        request: ListTaskPushNotificationConfigsRequest,
    ) -> Result<ListTaskPushNotificationConfigsResponse, Failure> {
        self.push()?;
        let configs = self.stored_task(caller, &request.task_id).await?.record.push;
        let configs = configs.into_iter().map(|known| without_secrets(known.config)).collect();
        // All of them: a task has few.
        Ok(ListTaskPushNotificationConfigsResponse { configs, next_page_token: None })
    }

    pub(super) async fn delete_push_config(
        &self,
        caller: &Caller,
        request: DeleteTaskPushNotificationConfigRequest,
    ) -> Result<(), Failure> {
        self.push()?;
        self.change_push_configs(caller, &request.task_id, |configs| {
            configs.retain(|known| known.config.id.as_ref() != Some(&request.id));
            Ok(())
        })
        .await
    }

    async fn change_push_configs(
        &self,
        caller: &Caller,
        task_id: &str,
        change: impl Fn(&mut Vec<PushConfig>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let mut stored = self.stored_task(caller, task_id).await?;
            change(&mut stored.record.push)?;
            let key = caller.key();
            if self.records.put_task(&key, &stored.record, Some(&stored.stored)).await?.is_some() {
                if let Some(live) = self.registry.get(&key, task_id) {
                    live.set_push(stored.record.push);
                }
                return Ok(());
            }
            // The run, or another request, has changed it meanwhile.
        }
    }
}

/// Returns a configuration as its owner sees it again: what was sent to the server once is not sent back.
fn without_secrets(mut config: TaskPushNotificationConfig) -> TaskPushNotificationConfig {
    config.token = None;
    if let Some(authentication) = &mut config.authentication {
        authentication.credentials = None;
    }
    config
}
