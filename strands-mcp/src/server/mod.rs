//! Server: tools and agents, served to MCP clients.
