"""What everything else is written in: Call, Reply, Handler, errors, clock, ids, money. Standard library and promptwire.v1 only."""
