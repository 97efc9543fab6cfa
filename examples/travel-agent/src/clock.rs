//! Clock: the system's date, or a fixed one for reproducible demonstrations and tests.

use jiff::{Zoned, civil::Date};

/// The source of the current date, injected into tools.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's clock in the local time zone.
    #[default]
    System,
    /// A fixed date.
    Fixed(Date),
}

impl Clock {
    /// Returns the current date.
    pub fn today(self) -> Date {
        match self {
            Self::System => Zoned::now().date(),
            Self::Fixed(date) => date,
        }
    }
}
