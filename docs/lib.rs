//! The book, compiled.
