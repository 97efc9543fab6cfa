//! Clients against servers of rmcp in the same process, over HTTP.
