//! Storeys 2 to 4 stacked into one host whose sockets implement Net.
