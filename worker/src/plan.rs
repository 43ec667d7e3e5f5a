//! What has to move: the source's manifest less what the destination has. A pure function.
