"""What several test files share: networks, graphs, engines, benches, boards over loopback."""
