"""Texts made of tables and templates: SystemVerilog, C, Tcl, device trees, JSON, Markdown, HTML."""
