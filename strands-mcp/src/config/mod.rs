//! Configuration files in the `mcpServers` format.
