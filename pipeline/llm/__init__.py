"""Messages to replies: the client, the journal that keeps what was paid for, the offline writer and its server."""
