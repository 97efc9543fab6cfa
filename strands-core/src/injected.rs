//! Injected values: values of the program that tools and hooks borrow by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

/// Type of an injected value, as a key.
#[derive(Clone, Copy)]
pub struct InjectedKey {
    value: fn() -> TypeId,
    shared: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl InjectedKey {
    /// Creates the key of `T`.
    pub const fn of<T: Send + Sync + 'static>() -> Self {
        Self { value: TypeId::of::<T>, shared: TypeId::of::<Arc<T>>, name: type_name::<T> }
    }

    /// Returns the name of the type.
    pub fn type_name(&self) -> &'static str {
        (self.name)()
    }

    /// Returns true if this is the key of `T`.
    pub fn is<T: 'static>(&self) -> bool {
        (self.value)() == TypeId::of::<T>()
    }

    /// Returns true if a value with the key `other` is one for this key.
    pub fn matches(&self, other: &Self) -> bool {
        let mine = (self.value)();
        // `inject(Arc<T>)` and `injected_per_prompt::<Arc<T>>()` provide a `&T` as well.
        mine == (other.value)() || (self.shared)() == (other.value)()
    }
}

impl std::fmt::Debug for InjectedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InjectedKey<{}>", self.type_name())
    }
}

/// An injected value with its key.
#[derive(Clone)]
struct Injected {
    key: InjectedKey,
    value: Arc<dyn Any + Send + Sync>,
}

type Values = HashMap<TypeId, Injected>;

/// Injected values of an agent and of one invocation, which take precedence.
#[derive(Clone, Default)]
pub(crate) struct InjectedValues {
    agent: Arc<Values>,
    invocation: Option<Arc<Values>>,
}

impl Injected {
    fn new<T: Send + Sync + 'static>(value: T) -> Self {
        Self { key: InjectedKey::of::<T>(), value: Arc::new(value) }
    }
}

impl InjectedValues {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.agent).insert(TypeId::of::<T>(), Injected::new(value));
    }

    /// Inserts a value for one invocation, which takes precedence over the agent's.
    pub(crate) fn insert_for_invocation<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(self.invocation.get_or_insert_default()).insert(TypeId::of::<T>(), Injected::new(value));
    }

    /// Inserts a shared value for one invocation, as a value of its type.
    pub(crate) fn insert_shared<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        let value = Injected { key: InjectedKey::of::<T>(), value };
        Arc::make_mut(self.invocation.get_or_insert_default()).insert(TypeId::of::<T>(), value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.agent.is_empty() && self.invocation.is_none()
    }

    /// Returns the values of an agent within another one's invocation: the values of that invocation take precedence, and those
    /// of the other agent are there for types that this one has no value of.
    pub(crate) fn within(&self, outer: &Self) -> Self {
        let mut inner = self.clone();
        let mut missing = outer.agent.iter().filter(|(_, value)| !self.contains(&value.key)).peekable();
        if missing.peek().is_some() {
            Arc::make_mut(&mut inner.agent).extend(missing.map(|(id, value)| (*id, value.clone())));
        }
        inner.add_for_invocation(outer.clone());
        inner
    }

    /// Adds the values of one invocation, which take precedence over existing ones.
    pub(crate) fn add_for_invocation(&mut self, other: Self) {
        let Some(added) = other.invocation else { return };
        match &mut self.invocation {
            Some(values) => Arc::make_mut(values).extend(added.iter().map(|(id, value)| (*id, value.clone()))),
            None => self.invocation = Some(added),
        }
    }

    /// Returns the values of the invocation, and then those of the agent. A value and a shared value are found in one before the
    /// next: an `Arc<T>` of the invocation takes precedence over a `T` of the agent.
    fn layers(&self) -> impl Iterator<Item = &Values> {
        self.invocation.as_deref().into_iter().chain([&*self.agent])
    }

    /// Returns the keys of the agent's values.
    pub(crate) fn agent_keys(&self) -> impl Iterator<Item = &InjectedKey> {
        self.agent.values().map(|injected| &injected.key)
    }

    pub(crate) fn contains(&self, key: &InjectedKey) -> bool {
        self.layers().any(|values| [key.value, key.shared].iter().any(|id| values.contains_key(&id())))
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.layers().find_map(|values| {
            let owned = value_of(values, TypeId::of::<T>()).and_then(|value| value.downcast_ref::<T>());
            owned.or_else(|| value_of(values, TypeId::of::<Arc<T>>())?.downcast_ref::<Arc<T>>().map(|shared| &**shared))
        })
    }

    pub(crate) fn get_arc<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.layers().find_map(|values| {
            let owned = value_of(values, TypeId::of::<T>()).and_then(|value| Arc::clone(value).downcast::<T>().ok());
            owned.or_else(|| value_of(values, TypeId::of::<Arc<T>>())?.downcast_ref::<Arc<T>>().cloned())
        })
    }
}

fn value_of(values: &Values, id: TypeId) -> Option<&Arc<dyn Any + Send + Sync>> {
    values.get(&id).map(|injected| &injected.value)
}

impl std::fmt::Debug for InjectedValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may hold secrets.
        write!(
            f,
            "InjectedValues({} + {})",
            self.agent.len(),
            self.invocation.as_ref().map_or(0, |values| values.len())
        )
    }
}
