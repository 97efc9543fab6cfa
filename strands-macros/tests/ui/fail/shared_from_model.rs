use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, RwLock};

use strands::{schemars, serde, tool};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct User {
    name: String,
}

/// Books for a user.
#[tool]
fn book(user: Arc<User>, store: std::sync::Arc<Mutex<Vec<User>>>, others: Option<Arc<User>>, list: &[Arc<User>]) {
    let _ = (user, store, others, list);
}

/// Locks.
#[tool(inline)]
fn lock(single: Rc<User>, locked: Mutex<User>, read: Vec<RwLock<User>>, weak: std::rc::Weak<User>, cell: RefCell<User>) {
    let _ = (single, locked, read, weak, cell);
}

fn main() {}
