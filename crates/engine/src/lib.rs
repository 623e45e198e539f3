//! Beside the storeys: the event queue, links in flight, the world of stations, the executor.
