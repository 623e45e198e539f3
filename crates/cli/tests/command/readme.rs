//! What the READMEs show is what the commands print.
