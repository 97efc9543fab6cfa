//! The edge of a server: requests from clients of protocol 0.3, and the responses for them.

mod card;
mod push;
mod requests;
mod responses;

pub(crate) use card::add_v03_to_card;
pub(crate) use requests::params_to_v1;
pub(crate) use responses::{error_to_v03, event_to_v03, result_to_v03};
