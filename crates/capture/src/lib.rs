//! What a run leaves behind: the pcapng capture, the event log and the story.
