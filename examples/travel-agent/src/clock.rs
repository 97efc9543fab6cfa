//! Which day it is: the system's, or a fixed one, so that demonstrations and tests can be repeated.

use jiff::{Zoned, civil::Date};

/// The host value that tells tools what day it is.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's clock in the local time zone.
    #[default]
    System,
    /// Always this day.
    Fixed(Date),
}

impl Clock {
    /// The current day.
    pub fn today(self) -> Date {
        match self {
            Self::System => Zoned::now().date(),
            Self::Fixed(date) => date,
        }
    }
}
