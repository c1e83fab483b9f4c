"""MCP toolsets: plain functions over what the clock lets see, one registry, a host for headless runs and stdio servers for people."""
