"""What tests of a tap are made of: runs as a process, the linter of messages, the contract."""
